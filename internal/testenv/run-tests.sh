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
# Servers of other makers have suites of their own.
go_test() { LASTNIGHT_TEST_SERVERS=off go test "$@" -timeout 20m ./...; }

ui() { (cd ui && npm run --silent "$@"); }

ui_install() { # npm ci, unless what is there is what the lock file says
  [ ui/node_modules/.package-lock.json -nt ui/package-lock.json ] && return 0
  (cd ui && npm ci --no-audit --no-fund)
}

ui_e2e() { LASTNIGHT_BIN=$PWD/bin/lastnight CHROMIUM=$(find_chromium) ui e2e; }

suite go-format go_format
suite go-vet go vet ./...

no_ui=$(node_problem)
if wanted ui-check || wanted ui-test || wanted ui-e2e; then
  if [ -z "$no_ui" ] && ! ui_install; then
    failed+=("ui-install")
    no_ui="npm ci failed"
  fi
fi
if [ -n "$no_ui" ]; then
  skip ui-check "$no_ui"
  skip ui-test "$no_ui"
else
  suite ui-check ui check
  suite ui-test ui test
fi

suite build make --no-print-directory build

if wanted go-test; then
  if have_cc; then
    suite go-test go_test -race
  else
    suite go-test go_test
    skip go-race "no C compiler, and it could not be installed"
  fi
fi

# A real etcd and kube-apiserver, built once (about 8 minutes on 2 cores) and cached.
kube_race() { if have_cc; then echo -race; fi; }
# shellcheck disable=SC2046 # no word where there is no C compiler
kube_tests() { go test $(kube_race) -count=1 -timeout 15m ./internal/testenv/kube/... ./collector/kube/... ./deploy/... && go test -count=1 -timeout 10m -run Kube ./cmd/lastnight; }
if wanted kube; then
  if problem=$(nice go run ./internal/testenv/kube/prepare 2>&1 >/dev/null); then suite kube kube_tests
  else skip kube "$(tail -n 1 <<<"$problem")"
  fi
fi

# A real Elasticsearch node, from Maven Central's jars; and versitygw, an S3 server, from its Go module.
elasticsearch_tests() { go test -count=1 -timeout 20m ./internal/testenv/elasticsearch ./indexer/store/elasticstore && go test -count=1 -timeout 20m -run Elasticsearch ./cmd/lastnight; }
s3_tests() { go test -count=1 -timeout 20m ./internal/testenv/s3 && go test -count=1 -timeout 20m -run S3 ./cmd/lastnight; }
if wanted elasticsearch; then
  if problem=$(elasticsearch_problem); [ -z "$problem" ]; then suite elasticsearch elasticsearch_tests; else skip elasticsearch "$problem"; fi
fi
if wanted s3; then
  if problem=$(s3_problem); [ -z "$problem" ]; then suite s3 s3_tests; else skip s3 "$problem"; fi
fi

if wanted lint; then
  if tool=$(find_golangci_lint); then suite lint "$tool" run ./...; else skip lint "golangci-lint could not be installed"; fi
fi
if wanted staticcheck; then
  if tool=$(find_staticcheck); then suite staticcheck "$tool" ./...; else skip staticcheck "it could not be installed"; fi
fi

if wanted ui-e2e; then
  if [ -n "$no_ui" ]; then skip ui-e2e "$no_ui"
  elif [ ! -x bin/lastnight ] || [[ " ${failed[*]:-} " == *" build "* ]]; then skip ui-e2e "no binary was built"
  elif ! have_chromium; then skip ui-e2e "no chromium, and it could not be installed"
  else suite ui-e2e ui_e2e
  fi
fi

printf '\n'
[ ${#passed[@]} -eq 0 ] || printf 'passed: %s\n' "${passed[*]}"
[ ${#skipped[@]} -eq 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
[ ${#failed[@]} -eq 0 ] || printf 'FAILED: %s\n' "${failed[@]}"
printf '%d passed, %d failed, %d skipped\n' ${#passed[@]} ${#failed[@]} ${#skipped[@]}
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]
