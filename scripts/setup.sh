#!/usr/bin/env bash
# setup.sh THING...: installs what the tests use and a fresh Debian lacks.
#   lint        golangci-lint, built by go install
#   wine        Wine, which runs the Windows tests, from Debian's packages
#   runbooks    curl and jq, with which the runbooks of the admin endpoint run
#   prometheus  prometheus and promtool, from Debian's package, unpacked here:
#               installing it would start a server
#   pictures    Chromium, Node.js and npm from Debian's packages, and by npm what
#               dashboards/pictures is made of, Grafana's panels above all
#   pngquant    makes the pictures in the documents small
# What is there already is left alone. What is no package of Debian's goes to .tools/,
# and what npm installs to dashboards/pictures.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
mkdir -p "$tools"

LINT_VERSION=v2.15.0

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_update() {
	[ -n "${apt_updated:-}" ] || as_root apt-get update -qq
	apt_updated=1
}

lint() {
	[ -x "$tools/golangci-lint" ] || GOBIN=$tools GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$LINT_VERSION"
}

apt_install() {
	apt_update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

wine() {
	if [ -x /usr/lib/wine/wine64 ] || type -P wine64 wine >/dev/null; then return; fi
	apt_install wine64
}

runbooks() {
	if type -P curl >/dev/null && type -P jq >/dev/null; then return; fi
	apt_install curl jq
}

pictures() {
	type -P chromium >/dev/null || apt_install chromium
	if ! type -P node >/dev/null || ! type -P npm >/dev/null; then apt_install nodejs npm; fi
	local installed=dashboards/pictures/node_modules/.installed.json
	cmp -s dashboards/pictures/package-lock.json $installed && return
	npm --prefix dashboards/pictures ci --silent
	cp dashboards/pictures/package-lock.json $installed
}

pngquant() {
	type -P pngquant >/dev/null || apt_install pngquant
}

prometheus() {
	for p in prometheus promtool; do
		[ -x "$tools/$p" ] && continue
		if type -P "$p" >/dev/null; then ln -sf "$(type -P "$p")" "$tools/$p"; continue; fi
		apt_update
		tmp=$(mktemp -d)
		(cd "$tmp" && apt-get download -qq prometheus && dpkg-deb -x ./*.deb . && cp usr/bin/prometheus usr/bin/promtool "$tools/")
		rm -rf "$tmp"
	done
}

for thing in "$@"; do "$thing"; done
