package elasticsearch

import (
	"context"
	_ "embed" // the node's own files
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const version = "8.17.0"

//go:embed node/pom.xml
var pom []byte

//go:embed node/TestNode.java
var source []byte

const descriptor = `name=transport-netty4
description=HTTP and transport over netty
version=` + version + `
elasticsearch.version=` + version + `
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
modulename=
extended.plugins=
has.native.controller=false
`

// prepare gives the folder with the node's program, made once per machine and version.
func prepare(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "lastnight-testenv", "elasticsearch-"+version+"-1")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	home := filepath.Join(dir, "home")
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	making := filepath.Join(dir, "making") // becomes home when it is whole
	if err := os.RemoveAll(making); err != nil {
		return "", err
	}
	if err := build(ctx, making); err != nil {
		return "", err
	}
	return home, os.Rename(making, home)
}

// lock keeps other test processes out until unlock is called.
func lock(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func build(ctx context.Context, home string) error {
	lib, netty := filepath.Join(home, "lib"), filepath.Join(home, "modules", "transport-netty4")
	for _, d := range []string{lib, netty, filepath.Join(home, "config"), filepath.Join(home, "plugins"), filepath.Join(home, "logs"), filepath.Join(home, "classes")} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return err
		}
	}
	pomFile, sourceFile := filepath.Join(home, "pom.xml"), filepath.Join(home, "TestNode.java")
	if err := errors.Join(
		os.WriteFile(pomFile, pom, 0o600), os.WriteFile(sourceFile, source, 0o600),
		os.WriteFile(filepath.Join(netty, "plugin-descriptor.properties"), []byte(descriptor), 0o600),
	); err != nil {
		return err
	}
	for scope, dir := range map[string]string{"runtime": lib, "provided": netty} {
		if err := run(ctx, "mvn", "-q", "-B", "-f", pomFile, "dependency:copy-dependencies", "-DincludeScope="+scope, "-DoutputDirectory="+dir); err != nil {
			return err
		}
	}
	if err := onlyOnce(lib, netty); err != nil {
		return err
	}
	return run(ctx, "javac", "-cp", filepath.Join(lib, "*"), "-d", filepath.Join(home, "classes"), sourceFile)
}

// onlyOnce removes from the module what is in lib: no jar may be in both.
func onlyOnce(lib, module string) error {
	jars, err := filepath.Glob(filepath.Join(module, "*.jar"))
	if err != nil {
		return err
	}
	for _, jar := range jars {
		switch _, err := os.Stat(filepath.Join(lib, filepath.Base(jar))); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		default:
			if err := os.Remove(jar); err != nil {
				return err
			}
		}
	}
	return nil
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // our own commands
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out[max(0, len(out)-4000):])
	}
	return nil
}
