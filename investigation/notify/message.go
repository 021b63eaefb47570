package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/template"
	"time"

	"lastnight"
)

const (
	maxBody = 64 << 10 // of a message
	maxText = 4 << 10  // of one of its texts
)

// Message is what a target hears, as JSON or through its template.
type Message struct {
	Event        string    `json:"event"` // opened or explained
	Delivery     string    `json:"delivery"`
	IncidentID   string    `json:"incident_id"`
	Cluster      string    `json:"cluster,omitempty"`
	Namespace    string    `json:"namespace"`
	Job          string    `json:"job"`
	Start        time.Time `json:"start"`
	End          time.Time `json:"end"`
	Failovers    int       `json:"failovers"`
	Planned      bool      `json:"planned"`
	Open         bool      `json:"open"`
	Recovered    bool      `json:"recovered"`
	Explained    bool      `json:"explained"`
	Cause        string    `json:"cause,omitempty"`
	Title        string    `json:"title,omitempty"`
	Verdict      string    `json:"verdict,omitempty"`
	Layer        string    `json:"layer,omitempty"`
	Severity     string    `json:"severity,omitempty"`
	Confidence   float64   `json:"confidence"`
	ActionNeeded bool      `json:"action_needed"`
	Advice       string    `json:"advice,omitempty"`
	LabelAuthor  string    `json:"label_author,omitempty"`
	LabelState   string    `json:"label_state,omitempty"`
	Link         string    `json:"link,omitempty"` // to the incident in the UI
}

// newMessage makes the message of an event of an incident as it is now.
func newMessage(event, delivery, publicURL string, i *lastnight.Incident) *Message {
	d := &i.Diagnosis
	m := &Message{
		Event: event, Delivery: delivery, IncidentID: i.ID, Cluster: i.Cluster, Namespace: i.Namespace, Job: i.Job,
		Start: i.Start, End: i.End, Failovers: i.Failovers, Planned: i.Planned, Open: i.Open, Recovered: i.Recovered,
		Explained: d.Explained, Cause: d.Cause, Title: clip(d.Title), Verdict: clip(d.Verdict), Layer: d.Layer, Severity: d.Severity,
		Confidence: d.Confidence, ActionNeeded: d.ActionNeeded, Advice: clip(d.Advice),
	}
	if d.Label != nil {
		m.LabelAuthor, m.LabelState = d.Label.Author, d.Label.State
	}
	if publicURL != "" {
		m.Link = strings.TrimRight(publicURL, "/") + "/incidents/" + url.PathEscape(i.ID)
	}
	return m
}

func clip(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// escaped gives the message with texts that Slack shows as they stand: a log line can't mention
// the channel or make a link.
func (m Message) escaped() *Message {
	r := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for _, s := range []*string{
		&m.IncidentID, &m.Cluster, &m.Namespace, &m.Job, &m.Cause, &m.Title, &m.Verdict, &m.Layer, &m.Severity, &m.Advice, &m.LabelAuthor, &m.LabelState,
	} {
		*s = r.Replace(*s)
	}
	return &m
}

// body gives what is sent. A template that fails is an error besides a body made without it: no message is lost to it.
func (t *target) body(m *Message) (b []byte, contentType string, err error) {
	const jsonType = "application/json"
	if t.kind == kindWebhook {
		if t.template != nil {
			text, err := t.execute(m)
			if err == nil {
				return text, t.contentType, nil
			}
			b, _, _ := (&target{kind: kindWebhook}).body(m)
			return b, jsonType, err
		}
		b, err := encode(m)
		return b, jsonType, err
	}
	text := slackText(m.escaped())
	var failed error
	if t.template != nil {
		if own, err := t.execute(m.escaped()); err == nil {
			text = string(own)
		} else {
			failed = err
		}
	}
	b, err = encode(map[string]string{"text": text})
	return b, jsonType, errors.Join(failed, err)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	return b.Bytes(), nil
}

// slackText is the default text: what failed, why, what to do, where to look.
func slackText(m *Message) string {
	var b strings.Builder
	what := "failed over"
	if m.Event == EventExplained {
		what = "failed over: " + m.Title
	}
	fmt.Fprintf(&b, "*%s* (%s) %s\n", m.Job, m.Namespace, what)
	if m.Verdict != "" {
		fmt.Fprintf(&b, "%s\n", m.Verdict)
	}
	if m.Advice != "" {
		fmt.Fprintf(&b, "*Advice:* %s\n", m.Advice)
	}
	state, action := "not recovered yet", "no action needed"
	if m.Recovered {
		state = "recovered"
	}
	if m.ActionNeeded {
		action = "*action needed*"
	}
	if !m.Explained {
		action = "cause not known yet"
	}
	fmt.Fprintf(&b, "%s, %d failover(s), %s, %s", m.Start.UTC().Format("2006-01-02 15:04:05 UTC"), m.Failovers, state, action)
	if m.LabelAuthor != "" {
		fmt.Fprintf(&b, ", label of %s (%s)", m.LabelAuthor, m.LabelState)
	}
	if m.Link != "" {
		fmt.Fprintf(&b, "\n<%s|open in lastnight>", m.Link)
	}
	return b.String()
}

// functions are what templates may call besides text/template's own.
func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) { // a value as JSON, for templates that make a document
			b, err := encode(v)
			return strings.TrimSuffix(string(b), "\n"), err
		},
		"upper": strings.ToUpper,
	}
}

var errTooLong = errors.New("the message has more than 64 KiB")

// capped is a buffer that takes maxBody bytes.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxBody {
		return 0, errTooLong
	}
	return c.Buffer.Write(p)
}

func (t *target) execute(m *Message) ([]byte, error) {
	var b capped
	if err := t.template.Execute(&b, m); err != nil {
		return nil, fmt.Errorf("template of %s: %w", t.name, err)
	}
	return b.Bytes(), nil
}
