#!/usr/bin/env bash
# winexec.sh PROGRAM [ARGUMENT...]: runs a Windows test under Wine, as `go test
# -exec` wants it.
# winexec.sh --become PROGRAM [ARGUMENT...]: becomes the Windows program, with its
# input, output and signals.
# What Wine and its services say goes to the file $WINELOG, if that is set and Wine
# does not run yet, and to nowhere otherwise.
# Makes Wine's prefix, its folder, on first use.
set -u
become=
if [ "$1" = --become ]; then become=yes && shift; fi
root=$(cd "$(dirname "$0")/.." && pwd)
export WINEPREFIX=${WINEPREFIX:-$root/.tools/wine} WINEDEBUG=${WINEDEBUG:--all}
unset DISPLAY
wine=/usr/lib/wine/wine64
[ -x "$wine" ] || wine=$(type -P wine64 || type -P wine) || {
	echo "winexec.sh: no Wine here: run scripts/setup.sh wine" >&2
	exit 125
}
system=$WINEPREFIX/drive_c/windows/system32

# Packages are tested side by side: one makes the prefix, the others wait.
mkdir -p "$WINEPREFIX"
exec 8>"$WINEPREFIX.lock"
flock 8
[ -e "$system/kernel32.dll" ] || "$wine" wineboot -i >/dev/null 2>&1 8>&-
if [ ! -e "$system/bcryptprimitives.dll" ]; then
	(cd "$root" && env -u GOOS -u GOARCH CGO_ENABLED=0 go run ./internal/wine/mkprng "$system/bcryptprimitives.dll") || exit 125
fi
exec 8>&-

# The services that Wine starts with the first program keep its output open for
# seconds after its end: let that be nobody's.
"$wine" cmd /c exit </dev/null >/dev/null 2>>"${WINELOG:-/dev/null}"

if [ -n "$become" ]; then exec "$wine" "$@"; fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for try in 1 2; do
	"$wine" "$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	# Wine was seen to kill, at its end, a program that had passed, and not to
	# start one at all.
	if [ "$status" = 137 ] && tail -n 2 "$log" | grep -q '^PASS'; then status=0; fi
	if [ "$status" = 0 ] || [ -s "$log" ]; then break; fi
done
exit "$status"
