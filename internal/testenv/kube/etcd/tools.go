//go:build tools

// Package etcd pins the etcd that tests run kube-apiserver on. It is a module of its
// own, so that nothing of it gets into lastnight's.
package etcd

import _ "go.etcd.io/etcd/server/v3"
