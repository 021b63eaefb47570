package kube

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// process is a program of the cluster that runs until it is killed or the test's process ends.
type process struct {
	path, log string
	cmd       *exec.Cmd
	done      chan struct{} // closed when it ended
}

// run starts a program whose output goes to a file; the test's end kills it.
func (c *Cluster) run(path string, args ...string) *process {
	c.t.Helper()
	p := &process{path: path, log: filepath.Join(c.dir, filepath.Base(path)+".log"), done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatalf("kube: %v", err)
	}
	p.cmd = exec.CommandContext(context.Background(), path, args...) //nolint:gosec // our own programs
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel takes this thread for the parent
		defer close(p.done)
		defer func() { _ = out.Close() }()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		c.t.Fatalf("kube: start %s: %v", path, err)
	}
	c.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail gives the end of what the program wrote.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-2000):])
}
