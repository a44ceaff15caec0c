#!/usr/bin/env bash
# package.sh DIRECTORY: adds documents and licences to the directory of a built program, and makes an archive of it and
# the bill of materials of the program. The same commit gives the same files, except for signatures: names are sorted,
# and every time is that of the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$1
name=$(basename "$dir")
program=$(ls "$dir"/hyperv_replica_exporter*)
case $program in *.exe) os=windows ;; *) os=linux ;; esac
export TZ=UTC LC_ALL=C
time=$(git log -1 --format=%ct)

.tools/cyclonedx-gomod bin -json -noserial -notimestamp -std -output "dist/$name.cdx.json" \
	-version "v$(cat VERSION)" "$program"

if [ $os = windows ] && [ -n "${SIGN_CERT:-}" ]; then
	osslsigncode sign -certs "$SIGN_CERT" -key "$SIGN_KEY" -h sha256 -n hyperv_replica_exporter \
		${SIGN_TIMESTAMP:+-ts "$SIGN_TIMESTAMP"} -in "$program" -out "$program.signed"
	mv "$program.signed" "$program"
fi

# Documents, dashboards, rules and examples: what is not needed to develop the program.
git ls-files -z README.md CHANGELOG.md LICENSE '*.md' docs dashboards deploy \
	':!*_test.go' ':!*/testdata/*' ':!dashboards/pictures' | sort -z | xargs -0 cp --parents -t "$dir"

# The licences of the modules in the program, and of Go.
go version -m "$program" | awk '$1 == "dep" { print $2 "@" $3 }' | while read -r module; do
	source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	mkdir -p "$dir/licenses/$module"
	find "$source" -maxdepth 1 -type f \( -iname 'license*' -o -iname 'copying*' -o -iname 'notice*' \) \
		-exec cp -t "$dir/licenses/$module" {} +
done
mkdir -p "$dir/licenses/go"
cp "$(go env GOROOT)/LICENSE" "$dir/licenses/go/"

chmod -R u=rwX,go=rX "$dir"
find "$dir" -exec touch -h -d "@$time" {} +
if [ $os = windows ]; then
	rm -f "dist/$name.zip"
	(cd dist && find "$name" -type f | sort | zip -q -X -9 "$name.zip" -@)
else
	tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" -cf - "$name" |
		gzip -n -9 > "dist/$name.tar.gz"
fi
