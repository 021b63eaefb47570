package spool

import "lastnight/internal/vfs"

// OpenSmall opens a spool with segments of so many bytes.
func OpenSmall(fs vfs.FS, segment int64) (*Spool, error) {
	return Open(Config{FS: fs, MaxBytes: 1 << 30, segment: segment})
}
