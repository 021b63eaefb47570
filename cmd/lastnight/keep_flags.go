package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"lastnight"
)

// keep says how long things are kept, and how fast what is not is dropped.
type keep struct {
	archiveAge   time.Duration
	archiveShare float64 // of the volume
	archiveBytes byteSize
	byNamespace  namespaceAges
	storeAge     time.Duration
	upkeepRate   byteSize // a second; 0: the archive's default
}

func (k *keep) flags(f *pflag.FlagSet) {
	f.DurationVar(&k.archiveAge, "archive-max-age", 30*24*time.Hour, "drop archived lines that arrived longer ago")
	f.Float64Var(&k.archiveShare, "archive-max-share", 0.8, "share of its volume that the archive may fill, 0 to 1")
	f.Var(&k.byNamespace, "archive-namespace-age", "other `ages` for lines of some namespaces, such as dev=72h,audit=0 (0: for ever)")
	f.Var(&k.archiveBytes, "archive-max-bytes", "`bytes` that the archive may have, in a bucket too; the oldest arrived go first (default no limit)")
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

// maxBytes gives how large the archive may be: the least of what flags say; 0: as it likes.
func (k *keep) maxBytes(b *openBlobs) (int64, error) {
	share, err := b.share(k.archiveShare)
	if err != nil || k.archiveBytes == 0 {
		return share, err
	}
	if share == 0 {
		return int64(k.archiveBytes), nil
	}
	return min(share, int64(k.archiveBytes)), nil
}

// namespaceAges is a flag such as dev=72h,audit=0.
type namespaceAges map[string]time.Duration

// Set implements pflag.Value.
func (a *namespaceAges) Set(s string) error {
	if *a == nil {
		*a = namespaceAges{}
	}
	for part := range strings.SplitSeq(s, ",") {
		namespace, age, ok := strings.Cut(strings.TrimSpace(part), "=")
		d, err := time.ParseDuration(age)
		if !ok || namespace == "" || err != nil || d < 0 {
			return fmt.Errorf("%q is no age of a namespace; try dev=72h,audit=0", part)
		}
		(*a)[namespace] = d
	}
	return nil
}

// String implements pflag.Value.
func (a *namespaceAges) String() string {
	parts := make([]string, 0, len(*a))
	for _, namespace := range slices.Sorted(maps.Keys(*a)) {
		parts = append(parts, namespace+"="+(*a)[namespace].String())
	}
	return strings.Join(parts, ",")
}

// Type implements pflag.Value.
func (a *namespaceAges) Type() string { return "ages" }
