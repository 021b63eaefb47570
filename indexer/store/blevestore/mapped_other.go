//go:build !linux

package blevestore

// forgetPages does nothing: elsewhere the system alone decides what it keeps of a mapped file.
func forgetPages(_, _ uintptr) {}
