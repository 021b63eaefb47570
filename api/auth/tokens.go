package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"lastnight"
)

const (
	tokenPrefix   = "ln_" // tells what it is when somebody finds one
	hashScheme    = "sha256"
	maxTokens     = 1000
	maxTokenBytes = 512
	saltBytes     = 16
)

// Tokens is a file of bearer tokens, of which it has only salted hashes:
//
//	tokens:
//	  - name: prometheus
//	    hash: sha256:9f2c…:41d8…      # as `lastnight token` prints it
//	    role: viewer
//	    namespaces: ["*"]
//	    expires: 2027-01-01           # may be left out
//
// Tokens are 256 random bits, so a slow hash would add nothing but load. Every hash of the file
// is compared, in constant time, whichever fits.
type Tokens struct {
	file watched[[]token]
	now  func() time.Time
}

type tokenFile struct {
	Tokens []tokenEntry `yaml:"tokens"`
}

type tokenEntry struct {
	Name    string `yaml:"name"`
	Hash    string `yaml:"hash"`
	Expires string `yaml:"expires"` // RFC 3339 or a date, in UTC
	Grant   `yaml:",inline"`
}

// token is a checked entry.
type token struct {
	name    string
	salt    []byte
	hash    []byte
	expires time.Time // zero: never
	grant   Grant
}

// OpenTokens reads the file. Later versions of it that do not parse are told to fail and do not count.
func OpenTokens(path string, fail func(error)) (*Tokens, error) {
	t := &Tokens{now: time.Now, file: watched[[]token]{
		paths: []string{path}, fail: fail, parse: func(c [][]byte) ([]token, error) { return parseTokens(c[0]) },
	}}
	return t, t.file.open()
}

func parseTokens(b []byte) ([]token, error) {
	var f tokenFile
	if err := decodeYAML(b, "file of tokens", &f); err != nil {
		return nil, err
	}
	if len(f.Tokens) > maxTokens {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "", "the file of tokens has %d, at most %d are read", len(f.Tokens), maxTokens)
	}
	names, all := map[string]bool{}, make([]token, 0, len(f.Tokens))
	for i := range f.Tokens {
		t, err := f.Tokens[i].check()
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		if names[t.name] {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "give each its own", "token %d: the name %s is taken", i+1, t.name)
		}
		names[t.name] = true
		all = append(all, t)
	}
	return all, nil
}

func (e *tokenEntry) check() (token, error) {
	name, err := CheckName(e.Name)
	if err != nil {
		return token{}, err
	}
	if err := e.Grant.check(name); err != nil {
		return token{}, err
	}
	t := token{name: name, grant: e.Grant}
	p := strings.Split(e.Hash, ":")
	if len(p) == 3 && p[0] == hashScheme {
		t.salt, err = hex.DecodeString(p[1])
		if err == nil {
			t.hash, err = hex.DecodeString(p[2])
		}
	}
	if err != nil || len(t.hash) != sha256.Size || len(t.salt) < 8 || len(t.salt) > 64 {
		return token{}, lastnight.Errorf(lastnight.CodeInvalid, "`lastnight token` makes one", "%s has no hash of the form sha256:SALT:HASH", name)
	}
	if e.Expires == "" {
		return t, nil
	}
	if t.expires, err = time.Parse(time.RFC3339, e.Expires); err != nil {
		if t.expires, err = time.Parse(time.DateOnly, e.Expires); err != nil {
			return token{}, lastnight.Errorf(lastnight.CodeInvalid, "expires: 2027-01-01", "%s expires at no time that parses", name)
		}
	}
	return t, nil
}

// find gives the token's entry. It takes the same time wherever the entry stands, or if there is none.
func (t *Tokens) find(secret string) (token, bool) {
	if len(secret) > maxTokenBytes || secret == "" {
		return token{}, false
	}
	var found token
	hit := 0
	for _, e := range t.file.get() {
		if subtle.ConstantTimeCompare(hashToken(e.salt, secret), e.hash) == 1 {
			found, hit = e, 1
		}
	}
	return found, hit == 1 && !found.over(t.now())
}

// byHash gives the entry that a session began with, if the file still has it.
func (t *Tokens) byHash(name string, hash []byte) (token, bool) {
	for _, e := range t.file.get() {
		if e.name == name && subtle.ConstantTimeCompare(e.hash, hash) == 1 {
			return e, !e.over(t.now())
		}
	}
	return token{}, false
}

func (t *token) over(now time.Time) bool { return !t.expires.IsZero() && !now.Before(t.expires) }

func hashToken(salt []byte, secret string) []byte {
	h := sha256.New()
	_, _ = h.Write(salt) // a hash never fails
	_, _ = h.Write([]byte(secret))
	return h.Sum(nil)
}

// NewToken makes a token and its hash for the file.
func NewToken() (secret, hash string, err error) {
	b := make([]byte, 32+saltBytes)
	if _, err := rand.Read(b); err != nil {
		return "", "", fmt.Errorf("make a token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:32])
	salt := b[32:]
	return secret, hashScheme + ":" + hex.EncodeToString(salt) + ":" + hex.EncodeToString(hashToken(salt, secret)), nil
}
