package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob" // --archive mem://
	_ "gocloud.dev/blob/s3blob"  // --archive s3://

	"lastnight"
	"lastnight/indexer/archive"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
	"lastnight/indexer/store/elasticstore"
	"lastnight/internal/vfs"
)

// tierFlags say where the two tiers are. Zero: both in the data directory.
type tierFlags struct {
	archive string // directory, s3://… or mem://
	store   string // "bleve", or addresses of Elasticsearch, separated by commas

	ca, cert, key string // PEM files
	prefix        string
	indexMode     string
}

func (t *tierFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&t.archive, "archive", "", "where every line is kept: a `directory`, s3://BUCKET?region=R&endpoint=URL, or mem:// (default DATA/archive, or $LASTNIGHT_ARCHIVE)")
	f.StringVar(&t.store, "store", "", "what is looked up by meaning: bleve (in the data directory), or Elasticsearch at https://HOST:9200[,…] (default bleve, or $LASTNIGHT_STORE)")
	f.StringVar(&t.ca, "store-ca", "", "PEM `file` with the CA of Elasticsearch (default the system's, or $LASTNIGHT_STORE_CA)")
	f.StringVar(&t.cert, "store-cert", "", "PEM `file` with this client's certificate for Elasticsearch ($LASTNIGHT_STORE_CERT)")
	f.StringVar(&t.key, "store-key", "", "PEM `file` with its key ($LASTNIGHT_STORE_KEY)")
	f.StringVar(&t.prefix, "store-prefix", "", "what names of indices begin with (default lastnight, or $LASTNIGHT_STORE_PREFIX)")
	f.StringVar(&t.indexMode, "store-index-mode", "", "index.mode of documents in Elasticsearch, such as logsdb (default none, or $LASTNIGHT_STORE_INDEX_MODE)")
	for _, name := range []string{"store-ca", "store-cert", "store-key", "store-prefix", "store-index-mode"} {
		_ = f.MarkHidden(name) // docs/operations.md tells of them; each --help would be longer than the command's own flags
	}
}

// given tells whether a flag names a tier: then no server is asked instead.
func (t *tierFlags) given() bool { return t.archive != "" || t.store != "" }

func orEnv(flag, name string) string {
	if flag != "" {
		return flag
	}
	return strings.TrimSpace(os.Getenv(name))
}

// openBlobs is the archive's blob store and what it holds open.
type openBlobs struct {
	archive.Blobs
	dir    string       // "": not on a volume of this machine
	bucket *blob.Bucket // nil: a directory
	// unfinished removes what puts have left that were begun before a time and never ended.
	unfinished func(ctx context.Context, before time.Time) (int, error)
}

// openBlobs opens where the archive is. The zero tierFlags: in the data directory.
func (t *tierFlags) openBlobs(ctx context.Context, data string) (*openBlobs, error) {
	where := orEnv(t.archive, "LASTNIGHT_ARCHIVE")
	if scheme, _, ok := strings.Cut(where, "://"); ok {
		if scheme != "s3" && scheme != "mem" {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--archive DIR, --archive s3://BUCKET?region=R, --archive mem://", "--archive: this build knows no %s://", scheme)
		}
		b, err := blob.OpenBucket(ctx, where)
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "s3://BUCKET?region=eu-central-1&endpoint=https://host&use_path_style=true", "--archive: %w", err)
		}
		ok, err := b.IsAccessible(ctx)
		if err != nil || !ok {
			return nil, errors.Join(unreachable(scheme, err), b.Close())
		}
		k := archive.NewBucket(b)
		return &openBlobs{Blobs: k, bucket: b, unfinished: k.DropUnfinished}, nil
	}
	if where == "" {
		where = filepath.Join(data, "archive")
	}
	fsys, err := vfs.NewOS(where)
	if err != nil {
		return nil, err
	}
	dir, err := archive.NewDir(fsys)
	if err != nil {
		return nil, err
	}
	return &openBlobs{Blobs: dir, dir: where, unfinished: dir.DropUnfinished}, nil
}

func unreachable(scheme string, err error) error {
	if err == nil {
		err = errors.New("there is no such bucket")
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's region, and that it exists", "--archive %s://: the bucket cannot be listed: %w", scheme, err)
}

// share gives how many bytes a share of the archive's volume is; an object store has no end: 0.
func (b *openBlobs) share(share float64) (int64, error) {
	if b.dir == "" {
		return 0, nil
	}
	return volumeShare(b.dir, share)
}

// Close lets go of the bucket.
func (b *openBlobs) Close() error {
	if b.bucket == nil {
		return nil
	}
	if err := b.bucket.Close(); err != nil {
		return fmt.Errorf("close bucket: %w", err)
	}
	return nil
}

// deadLetterFile is in the data directory.
const deadLetterFile = "dead-letters.ndjson"

// openStore opens the store, and refuses one that lastnight migrate has not filled yet. The zero
// tierFlags: bleve, in the data directory. Without a data directory what Elasticsearch refuses is
// kept in Elasticsearch.
func (t *tierFlags) openStore(ctx context.Context, data string, log *slog.Logger) (store.Store, error) {
	s, err := t.connect(ctx, data, log)
	if err != nil {
		return nil, err
	}
	half, err := store.UnfinishedCopy(ctx, s)
	if err == nil && half {
		err = lastnight.Errorf(lastnight.CodeConflict, "the same lastnight migrate again goes on where it stopped", "lastnight migrate has not finished with this store")
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connect is openStore without a look at what is in it.
func (t *tierFlags) connect(ctx context.Context, data string, log *slog.Logger) (store.Store, error) {
	where := orEnv(t.store, "LASTNIGHT_STORE")
	cloud := os.Getenv("LASTNIGHT_STORE_CLOUD_ID")
	if where == "" && cloud == "" || where == "bleve" {
		s, err := blevestore.Open(ctx, blevestore.Config{Dir: filepath.Join(data, "store"), Logger: log})
		if err != nil { // not the nil pointer, which would be a store that is not nil
			return nil, err
		}
		return s, nil
	}
	cfg, err := t.elasticConfig(where, cloud)
	if err != nil {
		return nil, err
	}
	if cfg.Logger = log; data != "" {
		cfg.DeadLetters = filepath.Join(data, deadLetterFile)
	}
	s, err := elasticstore.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (t *tierFlags) elasticConfig(where, cloud string) (cfg elasticstore.Config, err error) {
	if where != "" {
		cfg.Addresses = strings.Split(where, ",")
	} else {
		cfg.CloudID = cloud
	}
	cfg.Prefix = orEnv(t.prefix, "LASTNIGHT_STORE_PREFIX")
	cfg.IndexMode = orEnv(t.indexMode, "LASTNIGHT_STORE_INDEX_MODE")
	cfg.Username = os.Getenv("LASTNIGHT_STORE_USERNAME")
	if cfg.Password, err = secret("LASTNIGHT_STORE_PASSWORD"); err != nil {
		return cfg, err
	}
	if cfg.APIKey, err = secret("LASTNIGHT_STORE_API_KEY"); err != nil {
		return cfg, err
	}
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{orEnv(t.ca, "LASTNIGHT_STORE_CA"), &cfg.CACert}, {orEnv(t.cert, "LASTNIGHT_STORE_CERT"), &cfg.ClientCert}, {orEnv(t.key, "LASTNIGHT_STORE_KEY"), &cfg.ClientKey}} {
		if f.name == "" {
			continue
		}
		if *f.to, err = readSmall(f.name); err != nil {
			return cfg, err
		}
	}
	if (cfg.ClientCert == nil) != (cfg.ClientKey == nil) {
		return cfg, lastnight.Errorf(lastnight.CodeInvalid, "--store-cert FILE --store-key FILE", "--store-cert and --store-key go together")
	}
	return cfg, nil
}

// secret is $NAME, or what is in the file $NAME_FILE: command lines are no secret.
func secret(name string) (string, error) {
	if v := os.Getenv(name); v != "" {
		return v, nil
	}
	file := os.Getenv(name + "_FILE")
	if file == "" {
		return "", nil
	}
	b, err := readSmall(file)
	return strings.TrimSpace(string(b)), err
}

// readSmall reads a file of at most a megabyte.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "a file that exists and that you may read", "read %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}
