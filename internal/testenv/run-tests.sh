#!/usr/bin/env bash
# Runs everything that must pass before a change lands; `make test` calls it.
#
#   run-tests.sh              all suites
#   run-tests.sh go-test lint only these
#
# Needs Go; and for the UI's suites Node. What else a suite needs it installs where
# it can (tools into .cache/bin, Debian packages as root). A suite that cannot run is
# named as skipped at the end, never silently passed. The last line counts suites.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck source=internal/testenv/tools.sh
. internal/testenv/tools.sh

only=" $* "
passed=() failed=() skipped=()

wanted() { [ "$only" = "  " ] || [[ "$only" == *" $1 "* ]]; }

# suite NAME COMMAND…: runs it, with its output shown as it comes.
suite() {
  local name=$1 start=$SECONDS
  shift
  wanted "$name" || return 0
  printf '\n=== %s\n' "$name"
  if "$@"; then
    passed+=("$name")
    printf -- '--- %s passed in %d s\n' "$name" $((SECONDS - start))
  else
    failed+=("$name")
    printf -- '--- %s FAILED after %d s\n' "$name" $((SECONDS - start))
  fi
}

skip() { # skip NAME REASON
  wanted "$1" || return 0
  skipped+=("$1 ($2)")
  printf '\n=== %s\n--- skipped: %s\n' "$1" "$2"
}

go_format() {
  local bad
  bad=$(find . -name '*.go' -not -path './ui/node_modules/*' -not -path './.cache/*' -print0 | xargs -0 gofmt -l) || return 1
  [ -z "$bad" ] || { printf 'not formatted (make fmt):\n%s\n' "$bad"; return 1; }
}

# The race detector needs a C compiler; without one the tests run all the same.
go_test() { go test "$@" -timeout 20m ./...; }

ui() { (cd ui && npm run --silent "$@"); }

ui_install() { # npm ci, unless what is there is what the lock file says
  [ ui/node_modules/.package-lock.json -nt ui/package-lock.json ] && return 0
  (cd ui && npm ci --no-audit --no-fund)
}

ui_e2e() { LASTNIGHT_BIN=$PWD/bin/lastnight CHROMIUM=$(find_chromium) ui e2e; }

ui_suites="ui-check ui-test ui-e2e"
node_problem=$(node_problem)

suite go-format go_format
suite go-vet go vet ./...

if [ -n "$node_problem" ]; then
  for name in $ui_suites; do skip "$name" "$node_problem"; done
elif ! ui_install; then
  failed+=("ui-install")
  for name in $ui_suites; do skip "$name" "npm ci failed"; done
else
  suite ui-check ui check
  suite ui-test ui test
fi

suite build make --no-print-directory build

if have_cc; then
  suite go-test go_test -race
else
  suite go-test go_test
  skip go-race "no C compiler and not root"
fi

if tool=$(find_golangci_lint); then suite lint "$tool" run ./...; else skip lint "golangci-lint could not be installed"; fi
if tool=$(find_staticcheck); then suite staticcheck "$tool" ./...; else skip staticcheck "staticcheck could not be installed"; fi

if [ -z "$node_problem" ] && [ -d ui/node_modules ] && wanted ui-e2e; then
  if have_chromium; then suite ui-e2e ui_e2e; else skip ui-e2e "no chromium and not root"; fi
fi

printf '\n'
[ ${#passed[@]} -eq 0 ] || printf 'passed: %s\n' "${passed[*]}"
for s in "${skipped[@]}"; do printf 'skipped: %s\n' "$s"; done
for s in "${failed[@]}"; do printf 'FAILED: %s\n' "$s"; done
printf '%d passed, %d failed, %d skipped\n' ${#passed[@]} ${#failed[@]} ${#skipped[@]}
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]
