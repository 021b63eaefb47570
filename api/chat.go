package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

const (
	maxChatBody = 64 << 10
	chatSkew    = 5 * time.Minute         // between the sender's clock and ours; older requests are replays
	chatTime    = 2500 * time.Millisecond // Slack waits 3 s
	maxChatText = 3000                    // characters of an answer
	maxInChat   = 5                       // incidents in an answer
)

// ChatConfig lets people ask from a chat: a Slack slash command, or what sends the same.
type ChatConfig struct {
	SigningSecret []byte         // signs requests; empty: there is no chat
	Namespaces    []string       // that people in the chat may ask about
	PublicURL     string         // of this server, for links; "": no links
	Zone          *time.Location // in which times are read and shown; nil: UTC
}

// chat answers `why JOB [WHEN]` from a chat. The sender is known by its signature (Slack's v0:
// HMAC-SHA256 over timestamp and body), the person only by the name that the chat tells; so all
// in the chat may read the same namespaces, and nobody can change anything. Answers go into the
// response alone: the response_url of the request is never called, since it could lead anywhere.
type chat struct {
	env *env
	cfg ChatConfig
	ask lastnight.Investigator
	// lastnight_chat_commands_total: commands by outcome (answered, unknown, refused, failed).
	total *prometheus.CounterVec
}

func newChat(e *env, cfg ChatConfig, ask lastnight.Investigator, reg prometheus.Registerer) (chat, error) {
	c := chat{e, cfg, ask, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lastnight_chat_commands_total", Help: "Commands from a chat, by outcome.",
	}, []string{"outcome"})}
	if c.cfg.Zone == nil {
		c.cfg.Zone = time.UTC
	}
	return c, reg.Register(c.total)
}

func (c chat) mount(r chi.Router) {
	c.env.route(r, http.MethodPost, "/chat/slack", endpoint{handle: c.command})
}

// chatAnswer is what Slack shows.
type chatAnswer struct {
	ResponseType string `json:"response_type"` // ephemeral: only who asked sees it
	Text         string `json:"text"`
}

func (c chat) command(w http.ResponseWriter, r *http.Request, p *params) error {
	form, err := c.form(r, p.now)
	if err != nil {
		c.total.WithLabelValues("refused").Inc()
		c.env.denied(r, err)
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), chatTime)
	defer cancel()
	// The name is the chat's word for it, so it stands with its source.
	ctx = lastnight.WithActor(ctx, lastnight.Actor{
		Name: "chat:" + clip(form.Get("user_name")), Role: lastnight.RoleViewer, Namespaces: c.cfg.Namespaces, Via: "chat",
	})
	text, err := c.answer(ctx, form.Get("text"), p.now)
	switch {
	case ctx.Err() != nil:
		c.total.WithLabelValues("failed").Inc()
		text = "That takes longer than a chat waits. Ask in the UI" + c.link("", "/") + "."
	case err != nil && lastnight.CodeOf(err) == lastnight.CodeInternal:
		return err
	case err != nil:
		c.total.WithLabelValues("unknown").Inc()
		text = sentence(err)
	default:
		c.total.WithLabelValues("answered").Inc()
	}
	return writeJSON(w, chatAnswer{"ephemeral", text})
}

func sentence(err error) string {
	text := chatText(err.Error())
	if hint := lastnight.HintOf(err); hint != "" {
		text += "\nTry: " + chatText(hint)
	}
	return text
}

// form checks the signature and reads the form.
func (c chat) form(r *http.Request, now time.Time) (url.Values, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxChatBody+1))
	if err != nil || len(b) > maxChatBody {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "", "the command is cut short or has more than %d bytes", maxChatBody)
	}
	if err := checkSignature(c.cfg.SigningSecret, r.Header, b, now); err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the command's form does not parse")
	}
	for name, values := range form {
		for _, v := range values {
			if err := checkText(clip(name), v); err != nil {
				return nil, err
			}
		}
	}
	return form, nil
}

// checkSignature tells whether the request was signed with the secret, and lately.
func checkSignature(secret []byte, h http.Header, body []byte, now time.Time) error {
	bad := lastnight.Errorf(lastnight.CodeUnauthenticated, "set the signing secret of the chat's app with --chat-secret-file", "the signature is not right")
	stamp := h.Get("X-Slack-Request-Timestamp")
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(secret) == 0 {
		return bad
	}
	if d := now.Sub(time.Unix(sec, 0)); d > chatSkew || d < -chatSkew {
		return lastnight.Errorf(lastnight.CodeUnauthenticated, "are the clocks right?", "the command was signed too long ago")
	}
	mac := hmac.New(sha256.New, secret)
	_, _ = fmt.Fprintf(mac, "v0:%s:", stamp) // a hash never fails
	_, _ = mac.Write(body)
	want := "v0=" + hex.EncodeToString(mac.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(h.Get("X-Slack-Signature")), []byte(want)) != 1 {
		return bad
	}
	return nil
}

// answer answers one command: "why JOB [WHEN]", or "JOB [WHEN]" where the command itself is called why.
func (c chat) answer(ctx context.Context, text string, now time.Time) (string, error) {
	words := strings.Fields(text)
	if len(words) > 0 && strings.EqualFold(words[0], "why") {
		words = words[1:]
	}
	if len(words) == 0 || strings.EqualFold(words[0], "help") {
		return "`why JOB [WHEN]` tells why a job failed. JOB is a name, a Flink job id or a link with one; WHEN is `last night`, `yesterday`, a time, or nothing for the newest of the last 24 hours.", nil
	}
	req := lastnight.WhyRequest{Job: strings.Trim(words[0], "<>"), Zone: c.cfg.Zone.String()}
	if when := strings.Join(words[1:], " "); when != "" {
		in, err := lastnight.ParseWhen(when, now, c.cfg.Zone)
		if err != nil {
			return "", err
		}
		req.Start, req.End, req.Zone = in.Start, in.End, in.Zone
	}
	a, err := c.ask.Why(ctx, req)
	if err != nil {
		return "", err
	}
	if len(a.Incidents) == 0 {
		return "*" + chatText(a.Job) + "* had no incident from " + c.time(a.Interval.Start) + " to " + c.time(a.Interval.End) + ".", nil
	}
	var b strings.Builder
	shown := a.Incidents[max(0, len(a.Incidents)-maxInChat):]
	if more := len(a.Incidents) - len(shown); more > 0 {
		fmt.Fprintf(&b, "_%d earlier incidents are left out._\n", more)
	}
	for i := range shown {
		if i > 0 {
			b.WriteString("\n")
		}
		c.incident(&b, &shown[i])
	}
	return shorten(b.String(), maxChatText), nil
}

// incident says in a few lines what happened, why, and what to do.
func (c chat) incident(b *strings.Builder, i *lastnight.Incident) {
	d := &i.Diagnosis
	title := "not explained yet"
	if d.Explained {
		title = chatText(d.Title)
	}
	fmt.Fprintf(b, "*%s* at %s: *%s*%s\n", chatText(i.Job), c.time(i.Start), title, c.link(" ", "/incidents/"+url.PathEscape(i.ID)))
	if d.Verdict != "" {
		fmt.Fprintf(b, "%s\n", chatText(d.Verdict))
	}
	if d.Advice != "" {
		fmt.Fprintf(b, "Advice: %s\n", chatText(d.Advice))
	}
	state := "recovered"
	switch {
	case i.Open:
		state = "still going on"
	case !i.Recovered:
		state = "not recovered"
	}
	action := "no action needed"
	switch {
	case d.ActionNeeded:
		action = "action needed"
	case !d.Explained:
		action = "cause not known"
	}
	fmt.Fprintf(b, "%d failover(s), %s, %s", i.Failovers, state, action)
	if d.Label != nil {
		fmt.Fprintf(b, "; label of %s, %s", chatText(d.Label.Author), chatText(d.Label.State))
	}
	b.WriteString("\n")
}

func (c chat) time(t time.Time) string { return t.In(c.cfg.Zone).Format("Mon 2 Jan 15:04 MST") }

// link gives a link in Slack's form, "" where this server's address is not known.
func (c chat) link(before, path string) string {
	if c.cfg.PublicURL == "" {
		return ""
	}
	return before + "<" + strings.TrimSuffix(c.cfg.PublicURL, "/") + path + "|open>"
}

// chatText makes text of logs harmless: no mentions, no links of its own making.
func chatText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(shorten(s, 1000))
}

// shorten cuts text to at most so many bytes, at a letter.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
