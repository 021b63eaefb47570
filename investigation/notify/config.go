package notify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

// The events that messages are about.
const (
	EventOpened    = "opened"
	EventExplained = "explained"
)

// The kinds of targets.
const (
	kindWebhook = "webhook"
	kindSlack   = "slack"
)

const (
	maxConfigBytes  = 1 << 20
	maxTargets      = 100
	defaultRate     = 30 // messages a minute
	defaultMaxAge   = 12 * time.Hour
	defaultGiveUp   = 24 * time.Hour
	minSecretBytes  = 16
	maxTemplateText = 64 << 10
)

// Config is what ParseConfig read: whom to tell of what. See docs/notifications.md.
type Config struct {
	targets []target
	maxAge  time.Duration // of an incident that is news
	giveUp  time.Duration // after which a message is not tried any more
}

// target is a checked place to send messages to. The address comes from the file and from nowhere else.
type target struct {
	name        string
	kind        string
	url         string // a secret, as Slack's are: in no message, log or metric
	secret      []byte // signs; empty: unsigned
	events      []string
	namespaces  []string // none: all
	planned     bool
	rate        int
	template    *template.Template // nil: the default
	contentType string
}

type configFile struct {
	MaxAge  string       `yaml:"max_age"`
	GiveUp  string       `yaml:"give_up_after"`
	Targets []targetFile `yaml:"targets"`
}

type targetFile struct {
	Name        string   `yaml:"name"`
	Type        string   `yaml:"type"`
	URL         string   `yaml:"url"`
	URLFile     string   `yaml:"url_file"`
	SecretFile  string   `yaml:"secret_file"`
	Events      []string `yaml:"events"`
	Namespaces  []string `yaml:"namespaces"`
	Planned     bool     `yaml:"planned"`
	Rate        int      `yaml:"rate"`
	Template    string   `yaml:"template"`
	ContentType string   `yaml:"content_type"`
}

var (
	targetName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	yamlLine   = regexp.MustCompile(`line (\d+)`)
)

// LoadConfig reads the file and those that it names. Errors are of CodeInvalid and repeat no secrets.
func LoadConfig(path string) (*Config, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseConfig(b, readFile)
}

// ParseConfig reads a file's bytes; read gives the files that it names.
func ParseConfig(b []byte, read func(path string) ([]byte, error)) (*Config, error) {
	var f configFile
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		where := "it" // What yaml says would repeat what stands there.
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			where = "line " + m[1]
		}
		return nil, invalid("docs/notifications.md shows how it looks", "%s is not YAML or has an unknown or mistyped field", where)
	}
	c := &Config{maxAge: defaultMaxAge, giveUp: defaultGiveUp}
	for _, d := range []struct {
		name, text string
		into       *time.Duration
	}{{"max_age", f.MaxAge, &c.maxAge}, {"give_up_after", f.GiveUp, &c.giveUp}} {
		if d.text == "" {
			continue
		}
		v, err := time.ParseDuration(d.text)
		if err != nil || v < time.Minute {
			return nil, invalid(d.name+": 12h", "%s is no time of a minute or more", d.name)
		}
		*d.into = v
	}
	if len(f.Targets) > maxTargets {
		return nil, invalid("", "there are %d targets, at most %d are known", len(f.Targets), maxTargets)
	}
	names := map[string]bool{}
	for i := range f.Targets {
		t, err := f.Targets[i].check(read)
		if err != nil {
			return nil, fmt.Errorf("target %d: %w", i+1, err)
		}
		if names[t.name] {
			return nil, invalid("give each its own", "target %d: the name %s is taken", i+1, t.name)
		}
		names[t.name] = true
		c.targets = append(c.targets, t)
	}
	return c, nil
}

func invalid(hint, format string, args ...any) error {
	return lastnight.Errorf(lastnight.CodeInvalid, hint, format, args...)
}

func (f *targetFile) check(read func(string) ([]byte, error)) (target, error) {
	t := target{name: f.Name, kind: f.Type, events: f.Events, namespaces: f.Namespaces, planned: f.Planned, rate: f.Rate, contentType: f.ContentType}
	if !targetName.MatchString(t.name) {
		return t, invalid("name: oncall", "its name is not of small letters, digits and dashes")
	}
	if t.kind != kindWebhook && t.kind != kindSlack {
		return t, invalid("type: webhook, or type: slack", "%s has no known type", t.name)
	}
	if len(t.events) == 0 {
		t.events = []string{EventOpened, EventExplained}
	}
	for _, e := range t.events {
		if e != EventOpened && e != EventExplained {
			return t, invalid("events: [opened, explained]", "%s wants an unknown event", t.name)
		}
	}
	if t.rate == 0 {
		t.rate = defaultRate
	}
	if t.rate < 1 || t.rate > 6000 {
		return t, invalid("rate: 30", "%s has a rate that is not from 1 to 6000 messages a minute", t.name)
	}
	if err := f.address(&t, read); err != nil {
		return t, err
	}
	return t, f.words(&t)
}

// address reads where to, and what signs.
func (f *targetFile) address(t *target, read func(string) ([]byte, error)) error {
	t.url = f.URL
	if (f.URL == "") == (f.URLFile == "") {
		return invalid("url: https://…, or url_file: FILE", "%s needs an address, once", t.name)
	}
	if f.URLFile != "" {
		b, err := read(f.URLFile)
		if err != nil {
			return fmt.Errorf("%s: url_file: %w", t.name, err)
		}
		t.url = string(bytes.TrimSpace(b))
	}
	u, err := url.Parse(t.url)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return invalid("url: https://hooks.example.org/…", "%s: its address is no http or https URL, or has a password in it", t.name)
	}
	if f.SecretFile == "" {
		return nil
	}
	b, err := read(f.SecretFile)
	if err != nil {
		return fmt.Errorf("%s: secret_file: %w", t.name, err)
	}
	if t.secret = bytes.TrimSpace(b); len(t.secret) < minSecretBytes {
		return invalid("head -c 32 /dev/urandom | base64 > FILE", "%s: its secret has fewer than %d bytes", t.name, minSecretBytes)
	}
	return nil
}

// words reads the template and tries it.
func (f *targetFile) words(t *target) error {
	if t.contentType == "" {
		t.contentType = "text/plain; charset=utf-8"
	}
	if strings.ContainsFunc(t.contentType, func(r rune) bool { return r < ' ' || r > '~' }) {
		return invalid("content_type: text/plain", "%s: its content_type is none", t.name)
	}
	if f.Template == "" {
		return nil
	}
	if len(f.Template) > maxTemplateText {
		return invalid("", "%s: its template has more than %d bytes", t.name, maxTemplateText)
	}
	var err error
	if t.template, err = template.New(t.name).Option("missingkey=error").Funcs(functions()).Parse(f.Template); err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, "docs/notifications.md lists what a template may use", "%s: its template does not parse: %w", t.name, err)
	}
	if _, err := t.execute(&Message{}); err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, "docs/notifications.md lists what a template may use", "%s: its template fails: %w", t.name, err)
	}
	return nil
}

// wants tells whether the target is to hear of an event of an incident.
func (t *target) wants(event string, i *lastnight.Incident) bool {
	return slices.Contains(t.events, event) && (t.planned || !i.Planned) && (len(t.namespaces) == 0 || slices.Contains(t.namespaces, i.Namespace))
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "name a file that may be read", "%w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > maxConfigBytes {
		return nil, invalid("", "%s has more than %d bytes", path, maxConfigBytes)
	}
	return b, nil
}
