package main

import (
	"fmt"
	"math"
	"syscall"
)

// volumeShare gives so many bytes as a share (0 to 1) of the volume that dir is on.
func volumeShare(dir string, share float64) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("size of the volume of %s: %w", dir, err)
	}
	total := float64(st.Blocks) * float64(st.Bsize) * share
	return int64(math.Min(total, math.MaxInt64/2)), nil
}
