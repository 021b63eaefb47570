//go:build !linux

package main

import "testing"

type smallDisk struct{}

func newSmallDisk(*testing.T, string) *smallDisk { return nil }
func (*smallDisk) fill(*testing.T)               {}
func (*smallDisk) empty(*testing.T)              {}
