#!/usr/bin/env bash
# Tries the changes in Tests/Mutants one by one: each breaks a rule, and the suite that it names must notice. Arguments: the build configuration,
# then names of patches (or parts of names) to try only those. How a patch is written: Tests/Mutants/README.md.
#
# They are tried in a checkout of their own, .build-mutants/tree, so that nobody's files change. With MUTANTS_IN_PLACE=1 they are tried in this one, with its
# build products: for a checkout in which nobody works.
set -uo pipefail
cd "$(dirname "$0")/.."
configuration=${1:-release}
shift || true
root=$PWD copy=$PWD/.build-mutants/tree log=$PWD/.build-mutants/log
export SWIFT_BACKTRACE=enable=no
command -v git >/dev/null || { echo "mutants: git is needed" >&2; exit 1; }
mkdir -p .build-mutants
dirty=$(git status --porcelain --untracked-files=no)
if [ -n "${MUTANTS_IN_PLACE:-}" ]; then
    [ -z "$dirty" ] || { echo "mutants: not in place, there are changes that are not committed" >&2; exit 1; }
    copy=$root
    trap 'git -C "$root" reset --quiet --hard' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
else
    [ -z "$dirty" ] || echo "mutants: what is not committed is not tried" >&2
    if [ -e "$copy/.git" ]; then
        git -C "$copy" fetch --quiet "$root" HEAD && git -C "$copy" reset --quiet --hard && git -C "$copy" checkout --quiet --detach FETCH_HEAD
    else
        rm -rf "$copy" && git clone --quiet --shared --no-checkout "$root" "$copy" && git -C "$copy" checkout --quiet --detach HEAD
    fi || { echo "mutants: no checkout in $copy" >&2; exit 1; }
    mkdir -p "$copy/.build"
    [ ! -e .build/witness ] || ln -sfn "$root/.build/witness" "$copy/.build/witness"
    [ ! -e Package.resolved ] || cp Package.resolved "$copy/"
fi
cd "$copy" || exit 1

build() { swift build -c "$configuration" --build-tests >"$log" 2>&1; }
build || { tail -n 40 "$log" >&2; echo "mutants: the tree does not build without any" >&2; exit 1; }

table="" failed=0 killed=0
for patch in "$root"/Tests/Mutants/*.patch; do
    [ -e "$patch" ] || { echo "mutants: Tests/Mutants has no patch" >&2; exit 1; }
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then
        wanted=
        for part in "$@"; do [[ $name != *$part* ]] || wanted=yes; done
        [ -n "$wanted" ] || continue
    fi
    suite=$(sed -n "s/^suite: //p;/^diff /q" "$patch")
    start=$SECONDS
    if [ -z "$suite" ]; then
        result="names no suite"
    elif ! git apply --check "$patch" 2>"$log"; then
        result="does not apply"
    else
        git apply "$patch"
        if ! build; then
            result="does not build"
        else
            # A mutant may hang what it breaks: that is noticed as well.
            timeout --kill-after=10 "${MUTANT_TIMEOUT:-900}" swift test -c "$configuration" --skip-build --filter "$suite" >"$log" 2>&1
            status=$?
            ran=$(sed -n 's/.*Test run with \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
            if [ "$status" -eq 0 ] && [ "${ran:-0}" -eq 0 ]; then
                result="no such suite"
            elif [ "$status" -eq 0 ]; then
                result="SURVIVED"
            else
                result="killed"
            fi
        fi
        git apply --reverse "$patch"
    fi
    if [ "$result" = killed ]; then killed=$((killed + 1)); else failed=$((failed + 1)); cp "$log" "$root/.build-mutants/$name.log"; fi
    line=$(printf '%-15s %-45s %-40s %4d s' "$result" "$name" "$suite" $((SECONDS - start)))
    echo "$line"
    table+="$line"$'\n'
done
# The products of the last mutant must not be taken for those of the tree.
git reset --quiet --hard

printf '\n%s\n%d killed, %d not\n' "$table" "$killed" "$failed"
[ "$failed" -eq 0 ]
