package main

import (
	"time"

	"github.com/spf13/pflag"

	"lastnight"
)

// keep says how long things are kept, and how fast what is not is dropped.
type keep struct {
	archiveAge   time.Duration
	archiveShare float64 // of the volume
	storeAge     time.Duration
	upkeepRate   byteSize // a second; 0: the archive's default
}

func (k *keep) flags(f *pflag.FlagSet) {
	f.DurationVar(&k.archiveAge, "archive-max-age", 30*24*time.Hour, "drop archived lines that arrived longer ago")
	f.Float64Var(&k.archiveShare, "archive-max-share", 0.8, "share of its volume that the archive may fill, 0 to 1")
	f.DurationVar(&k.storeAge, "store-max-age", 90*24*time.Hour, "drop documents and counts older than this")
	k.upkeepRate = 16 << 20
	f.Var(&k.upkeepRate, "upkeep-rate", "`bytes` a second that compaction and retention read and write at most, unless they would fall behind what arrives")
}

func (k *keep) check() error {
	if k.archiveShare <= 0 || k.archiveShare > 1 {
		return lastnight.Errorf(lastnight.CodeInvalid, "--archive-max-share 0.8", "--archive-max-share: %g is not in (0, 1]", k.archiveShare)
	}
	if k.upkeepRate < 64<<10 {
		return lastnight.Errorf(lastnight.CodeInvalid, "--upkeep-rate 16MiB", "--upkeep-rate: %d bytes a second is less than 64KiB", k.upkeepRate)
	}
	return nil
}
