package kube

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kubeVersion is what the API server says it is; apiserver/go.mod pins the source.
const kubeVersion = "v1.32.3"

// Binaries are the programs that a cluster is made of, and helm, which renders charts.
type Binaries struct {
	Etcd, APIServer, Helm string // absolute paths
}

// part is one program built from a tool module below this folder.
type part struct {
	module, pkg, ldflags string
}

func parts() []part {
	v := "-X k8s.io/component-base/version."
	return []part{
		{module: "etcd", pkg: "go.etcd.io/etcd/server/v3", ldflags: "-s -w"},
		{
			module: "apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver",
			ldflags: "-s -w " + v + "gitVersion=" + kubeVersion + " " + v + "gitMajor=1 " + v + "gitMinor=32",
		},
		{module: "helm", pkg: "helm.sh/helm/v3/cmd/helm", ldflags: "-s -w"},
	}
}

// errNotBuilt says that the programs are not in the cache.
var errNotBuilt = errors.New("etcd, kube-apiserver and helm are not built yet: make test SUITES=kube")

// Find gives the cached programs, or an error that says how to get them.
func Find() (Binaries, error) { return each(func(_ part, _, path string) error { return found(path) }) }

// Build gives the programs and builds what is not in the cache, which takes minutes
// and reads the Go module proxy. Several processes may build at once.
func Build(ctx context.Context) (Binaries, error) {
	return each(func(p part, dir, path string) error {
		if found(path) == nil {
			return nil
		}
		return p.build(ctx, dir, path)
	})
}

func found(path string) error {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return errNotBuilt
	}
	return nil
}

// each calls f for each program with the folder of its module and its place in the cache.
func each(f func(p part, dir, path string) error) (Binaries, error) {
	root, err := moduleRoot()
	if err != nil {
		return Binaries{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Binaries{}, fmt.Errorf("find the user's cache: %w", err)
	}
	var paths []string
	for _, p := range parts() {
		dir := filepath.Join(root, "internal", "testenv", "kube", p.module)
		key, err := p.key(dir)
		if err != nil {
			return Binaries{}, err
		}
		path := filepath.Join(cache, "lastnight", "testenv", p.module+"-"+key)
		if err := f(p, dir, path); err != nil {
			return Binaries{}, err
		}
		paths = append(paths, path)
	}
	return Binaries{Etcd: paths[0], APIServer: paths[1], Helm: paths[2]}, nil
}

// key names a build by all that it is made of.
func (p part) key(dir string) (string, error) {
	sum := sha256.New()
	sum.Write([]byte(p.pkg + "\x00" + p.ldflags))
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("read tool module %s: %w", p.module, err)
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// build compiles the program beside its place and renames it there.
func (p part) build(ctx context.Context, dir, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make cache: %w", err)
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer func() { _ = os.Remove(tmp) }()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", p.ldflags, "-o", tmp, p.pkg) //nolint:gosec // fixed arguments
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "CGO_ENABLED=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		return fmt.Errorf("build %s: %w: %s", p.pkg, err, lines[len(lines)-1])
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("keep %s: %w", p.pkg, err)
	}
	return nil
}

// moduleRoot finds the repository: the folder above the working directory with its go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(b, []byte("module lastnight\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find the repository: no go.mod of lastnight above the working directory")
		}
	}
}
