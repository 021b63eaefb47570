package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLeaseNamespace holds where agents outside of pods elect a leader: where their kubeconfig's context says.
func TestLeaseNamespace(t *testing.T) {
	if _, err := os.Stat(namespaceFile); err == nil {
		t.Skip("a pod has a namespace of its own")
	}
	head := "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
	for name, want := range map[string]string{
		head + "contexts: [{name: c, context: {cluster: x, user: u, namespace: night}}]\n": "night",
		head + "contexts: [{name: c, context: {cluster: x, user: u}}]\n":                   "",
		head: "",
	} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := (&kubeFlags{kubeconfig: file}).leaseNamespace(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := (&kubeFlags{kubeconfig: filepath.Join(t.TempDir(), "missing")}).leaseNamespace(); got != "" {
		t.Errorf("without a file: %q", got)
	}
}
