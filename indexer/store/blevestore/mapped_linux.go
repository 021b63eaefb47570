package blevestore

import "golang.org/x/sys/unix"

// forgetPages takes pages of a file, mapped at an address, out of the process's memory. They come back when they are read.
func forgetPages(address, size uintptr) {
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, address, size, unix.MADV_DONTNEED)
}
