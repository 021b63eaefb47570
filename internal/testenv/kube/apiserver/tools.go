//go:build tools

// Package apiserver pins the kube-apiserver that tests talk to. It is a module of its
// own, so that nothing of it gets into lastnight's.
package apiserver

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
