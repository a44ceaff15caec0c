#!/usr/bin/env bash
# winexec.sh PROGRAM [ARGUMENT...]: runs a Windows test under Wine, for `go test -exec`.
# winexec.sh --become PROGRAM [ARGUMENT...]: replaces itself by the Windows program, which gets its input, output and
# signals.
# If $WINELOG is set and Wine is not running yet, the messages of Wine and its services go to that file.
# The first use creates the Wine prefix, the directory of the Windows installation.
set -u
become=
if [ "$1" = --become ]; then become=yes && shift; fi
root=$(cd "$(dirname "$0")/.." && pwd)
export WINEPREFIX=${WINEPREFIX:-$root/.tools/wine} WINEDEBUG=${WINEDEBUG:--all}
unset DISPLAY
wine=/usr/lib/wine/wine64
[ -x "$wine" ] || wine=$(type -P wine64 || type -P wine) || {
	echo "winexec.sh: Wine is not installed: run scripts/setup.sh wine" >&2
	exit 125
}
system=$WINEPREFIX/drive_c/windows/system32

# Packages are tested in parallel: the first creates the prefix, the others wait.
mkdir -p "$WINEPREFIX"
exec 8>"$WINEPREFIX.lock"
flock 8
[ -e "$system/kernel32.dll" ] || "$wine" wineboot -i >/dev/null 2>&1 8>&-
if [ ! -e "$system/bcryptprimitives.dll" ]; then
	(cd "$root" && env -u GOOS -u GOARCH CGO_ENABLED=0 go run ./internal/wine/mkprng "$system/bcryptprimitives.dll") || exit 125
fi
# A service that starts gets a minute instead of ten seconds: the first one takes longer on a busy machine.
if [ ! -e "$WINEPREFIX/services-timeout" ]; then
	"$wine" reg add 'HKLM\System\CurrentControlSet\Control' /v ServicesPipeTimeout /t REG_DWORD /d 60000 /f \
		</dev/null >/dev/null 2>&1 8>&- && touch "$WINEPREFIX/services-timeout"
fi
exec 8>&-

# The services that Wine starts with the first program keep the output of that program open for seconds after it has
# ended. Start them with a program whose output nobody reads.
"$wine" cmd /c exit </dev/null >/dev/null 2>>"${WINELOG:-/dev/null}"

if [ -n "$become" ]; then exec "$wine" "$@"; fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for try in 1 2; do
	"$wine" "$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	# Wine has been seen to kill a test at its end, after it had passed, and to not start a test at all.
	if [ "$status" = 137 ] && tail -n 2 "$log" | grep -q '^PASS'; then status=0; fi
	if [ "$status" = 0 ] || [ -s "$log" ]; then break; fi
done
exit "$status"
