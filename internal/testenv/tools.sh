# What the suites need beyond Go and Node: found, or installed where that is possible.
# Sourced by run-tests.sh and the Makefile's lint; sets nothing but functions and versions.
# Each find_… prints a path and returns 0, or returns 1.

golangci_version=v2.15.0
staticcheck_version=v0.8.2
node_wanted=20.19.0
tools_dir=$PWD/.cache/bin

# node_problem prints why the UI cannot be built, or nothing.
node_problem() {
  command -v node >/dev/null && command -v npm >/dev/null || { echo "no Node.js; $node_wanted or later is needed"; return; }
  [ -f ui/package.json ] || { echo "no ui/package.json"; return; }
  local v
  v=$(node -p process.versions.node)
  [ "$(printf '%s\n%s\n' "$node_wanted" "$v" | sort -V | head -n 1)" = "$node_wanted" ] || echo "Node.js $v is older than $node_wanted"
}

# install_debian PACKAGE…: as root, where there is apt-get.
install_debian() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  echo "installing $*" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 </dev/null
}

# go_tool NAME MODULE_PATH VERSION: installs into .cache/bin, once per version.
go_tool() {
  local dir=$tools_dir/$1-$3
  if [ ! -x "$dir/$1" ]; then
    echo "installing $1 $3" >&2
    GOBIN=$dir go install "$2@$3" >&2 || return 1
  fi
  echo "$dir/$1"
}

find_golangci_lint() {
  local have
  for have in "$(command -v golangci-lint)" "$(go env GOPATH)/bin/golangci-lint"; do
    # Compiling it takes minutes: one of the same version that is there will do.
    if [ -x "$have" ] && "$have" version 2>/dev/null | grep -q "version v\?${golangci_version#v} "; then echo "$have"; return 0; fi
  done
  go_tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint "$golangci_version"
}

find_staticcheck() { go_tool staticcheck honnef.co/go/tools/cmd/staticcheck "$staticcheck_version"; }

have_cc() {
  command -v "$(go env CC)" >/dev/null || install_debian gcc libc6-dev || return 1
  [ "$(go env CGO_ENABLED)" = 1 ] # which Go sets by itself only where there is a compiler
}

find_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  return 1
}

have_chromium() { find_chromium >/dev/null || { install_debian chromium && find_chromium >/dev/null; }; }

# elasticsearch_problem prints why no Elasticsearch node can be had, or nothing.
elasticsearch_problem() {
  local tool
  for tool in java javac mvn; do
    command -v "$tool" >/dev/null || { echo "no $tool; a JDK 17 and Maven 3.8 or later are needed"; return; }
  done
}

# s3_problem prints why no S3 server can be had, or nothing. The tests say it of themselves: go test -v tells.
s3_problem() {
  local said
  said=$(go test -count=1 -v -run TestServerKeepsItsBuckets ./internal/testenv/s3 2>&1) || { echo "it failed to start"; return; }
  sed -n 's/.*no S3 server: //p' <<<"$said" | head -n 1
}
