package query_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/query"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"":                                `*`,
		"  \t\n":                          `*`,
		"*":                               `*`,
		"**":                              `*`,
		"foo":                             `"foo"`,
		"Foo BAR":                         `"foo" and "bar"`,
		"foo AND bar":                     `"foo" and "bar"`,
		"foo bar or baz":                  `("foo" and "bar") or "baz"`,
		"foo (bar or baz)":                `"foo" and ("bar" or "baz")`,
		"foo((bar))":                      `"foo" and "bar"`,
		"not foo":                         `not "foo"`,
		"-foo -bar":                       `not "foo" and not "bar"`,
		"NOT (a or b)":                    `not ("a" or "b")`,
		"not -a":                          `not not "a"`,
		`"and" "or"`:                      `"and" and "or"`,
		"android nothing order":           `"android" and "nothing" and "order"`,
		"foo-bar":                         `"foo bar"`,
		"10.1.2.3:6123":                   `"10 1 2 3 6123"`,
		"12:30:45":                        `"12 30 45"`,
		"java.lang.OutOf*":                `java.lang.outof*`,
		"java.lang.*":                     `"java lang"`,
		"a.*.b":                           `a.*.b`,
		"*foo":                            `*foo`,
		"f*o**o":                          `f*o*o`,
		`"RUNNING to RESTARTING."`:        `"running to restarting"`,
		`"a \"quoted\" b"`:                `"a quoted b"`,
		`"a*b"`:                           `"a b"`,
		`a\*b`:                            `"a b"`,
		`a\:b`:                            `"a b"`,
		"level:warn":                      `level:"warn"`,
		"level:Warning":                   `level:"warn"`,
		"level:>=WARN":                    "",
		"level>=WARN":                     `level>=WARN`,
		"level >= warning":                `level>=WARN`,
		"log.level<error":                 `level<ERROR`,
		"restart>0":                       `restart>0`,
		"restart > 1 foo":                 `restart>1 and "foo"`,
		"k8s.container.restart_count<=3":  `restart<=3`,
		"attr.took_ms>1e3":                `attr.took_ms>1000`,
		"attr.a-b.c:x":                    `attr.a-b.c:"x"`,
		`attr.a\:b:x`:                     `attr.a\:b:"x"`,
		`ATTR.Case:x`:                     `attr.Case:"x"`,
		"job:Orders":                      `job:"orders"`,
		"job: orders":                     `job:"orders"`,
		"JOB:orders":                      `job:"orders"`,
		`job:"orders enrich"`:             `job:"orders enrich"`,
		"job:orders-*":                    `job:orders-*`,
		`job:or\*ders`:                    `job:"or*ders"`,
		`job:a\ b*`:                       `job:a\ b*`,
		"pod:*":                           `pod:*`,
		"pod:(a or b or c*)":              `pod:"a" or pod:"b" or pod:c*`,
		"x pod:(a or b)":                  `"x" and (pod:"a" or pod:"b")`,
		`pod:((a or b) or "c")`:           `(pod:"a" or pod:"b") or pod:"c"`,
		"-pod:a":                          `not pod:"a"`,
		"k8s.namespace.name:flink":        `ns:"flink"`,
		"exception.type:*OutOfMemory*":    `exception:*outofmemory*`,
		"flink.job.id:AB":                 `flink.job.id:"ab"`,
		"message:foo-bar":                 `message:"foo bar"`,
		"message:foo:bar":                 `message:"foo bar"`,
		`message:"-> x"`:                  `message:"x"`,
		"message:*":                       `*`,
		"message:(a or b*)":               `message:"a" or message:b*`,
		"/took [0-9]+/":                   `/took [0-9]+/`,
		`/a\/b\.c/`:                       `/a\/b\.c/`,
		"(/x/)":                           `/x/`,
		`job:""`:                          `job:""`,
		"switched from RUNNING -job:x":    `"switched" and "from" and "running" and not job:"x"`,
		"ÄÖÜ_ß":                           `"äöü_ß"`,
		strings.Repeat("a", 300):          `"` + strings.Repeat("a", query.MaxTokenBytes) + `"`,
		"attr.x:http://h/p":               `attr.x:"http://h/p"`,
		"pod:" + "a" + "\u00a0" + "level": "pod:\"a\u00a0level\"",
	} {
		n, err := query.Parse(in)
		if want == "" {
			if err == nil {
				t.Errorf("%q: got %s, want an error", in, n)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := n.String(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ in, message, hint string }{
		{"jbo:x", `position 1: there is no field "jbo"`, "did you mean job"},
		{"foo namespce:x", `position 5: there is no field "namespce"`, "namespace"},
		{"java.lang.OutOfMemoryError: Java", `there is no field "java.lang.OutOfMemoryError"`, `quotes: "java.lang.OutOfMemoryError:"`},
		{"http://host/x", `there is no field "http"`, `"http://host/x"`},
		{"(a or b", "position 1: this ( is not closed", "add a )"},
		{"a)", "position 2: no ( belongs", "quotes"},
		{"()", "position 1: nothing is in these parentheses", ""},
		{`x "foo`, "position 3: this quote is not closed", `\"`},
		{"/foo", "position 1: this regex is not closed", "path"},
		{"/opt/flink/lib", "goes on behind its closing slash", "path"},
		{"/[/", "does not compile", "RE2"},
		{"/(a{1000}){2}/", "does not compile", ""},
		{"/.{1000}{1000}/", "does not compile", ""},
		{"/((a{100}){10}){5}/", "does not compile", ""},
		{"/" + strings.Repeat("a?", 2000) + "/", "does not compile", ""},
		{"//", "does not compile", ""},
		{"a or", "the query ends", ""},
		{"or a", "nothing comes before or", ""},
		{"a and", "position 3: nothing comes after and", ""},
		{"a and or b", "position 7: nothing comes before or", ""},
		{"not", "the query ends", ""},
		{"job:", "no value comes after job", "job:name"},
		{"level:", "no value", "level:ERROR"},
		{"level:loud", `"loud" is no level`, "TRACE DEBUG INFO"},
		{"level>loud", `"loud" is no level`, "TRACE DEBUG INFO"},
		{"restart>x", `"x" is no number`, "restart>2"},
		{"restart>NaN", `"NaN" is no number`, ""},
		{"restart>1e999", "is no number", ""},
		{"pod>a", "pod cannot be compared", "time range"},
		{"pod:(a b)", "only or joins the values", "pod:(a or b)"},
		{"->", `no word to search for in ">"`, "regex"},
		{`"->"`, `no word to search for in "->"`, "regex"},
		{"\xff", "not valid UTF-8 at position 1", ""},
		{strings.Repeat("a", query.MaxQueryBytes+1), "8193 bytes", ""},
		{strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), "nested more than", ""},
		{strings.Repeat("not ", 100) + "a", "nested more than", ""},
		{strings.Repeat("-", 100) + "a", "nested more than", ""},
		{"job:" + strings.Repeat("(", 100) + "a", "nested more than", ""},
		{strings.Repeat("a ", query.MaxNodes+1), "more than 512 parts", ""},
		{`"` + strings.Repeat("a ", query.MaxPhraseWords+1) + `"`, "has 65 words", ""},
		{"ää jbo:x", "position 4", ""},
	} {
		n, err := query.Parse(test.in)
		if err == nil {
			t.Errorf("%.40q: got %s, want an error", test.in, n)
			continue
		}
		if lastnight.CodeOf(err) != lastnight.CodeInvalid {
			t.Errorf("%.40q: code %s", test.in, lastnight.CodeOf(err))
		}
		if !strings.Contains(err.Error(), test.message) {
			t.Errorf("%.40q: message %q, want %q in it", test.in, err, test.message)
		}
		if hint := lastnight.HintOf(err); hint == "" || !strings.Contains(hint, test.hint) {
			t.Errorf("%.40q: hint %q, want %q in it", test.in, hint, test.hint)
		}
	}
}

// record is a document with a value in every field of records.
func record() *lastnight.Document {
	text := "2026-11-21 03:12:45,123 WARN  org.apache.flink.Foo [] - Job ORDERS (42) switched from state RUNNING to RESTARTING.\n" +
		"java.lang.OutOfMemoryError: Java heap space\n\tat com.acme.Sink.invoke(Sink.java:17)\nCaused by: x/y z=1"
	return &lastnight.Document{
		ID: "r1", Kind: lastnight.DocumentRecord, Time: time.Unix(1000, 0).UTC(), Text: text, MessageAt: strings.Index(text, "Job ORDERS"),
		Level: "WARN", Logger: "org.apache.flink.Foo", Thread: "main (1/4)", Cluster: "prod", Namespace: "flink", Pod: "orders-taskmanager-1-1", PodUID: "u-1",
		Container: "flink-main-container", Restart: 2, Node: "node-a", Stderr: true, Job: "orders", Component: "taskmanager", FlinkJob: "Orders Enrich",
		FlinkJobID: "00ff", Template: "T1", Exception: []string{"java.lang.OutOfMemoryError", "com.acme.Sink$Broken"}, Signals: []string{"exception", "transition"},
		Attrs: map[string]string{"took": "1500", "User": "Ann", "word": "x y", "cause.id": "heap-oom"},
	}
}

func event() *lastnight.Document {
	return &lastnight.Document{
		ID: "e1", Kind: lastnight.DocumentEvent, Time: time.Unix(1001, 0).UTC(), Text: "Back-off restarting failed container", Namespace: "flink", Pod: "orders-jm-0", Job: "orders",
		Event: &lastnight.Event{
			Kind: lastnight.EventKubernetes, Type: "Warning", Reason: "BackOff", Message: "Back-off restarting failed container",
			Object: lastnight.ObjectRef{Kind: "Pod", Name: "orders-jm-0"},
		},
	}
}

func TestMatch(t *testing.T) {
	f := func(d *lastnight.Document, q string, want bool) {
		t.Helper()
		n, err := query.Parse(q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			return
		}
		if got := query.Match(n, d); got != want {
			t.Errorf("%s %s: got %v", d.ID, q, got)
		}
	}
	for _, q := range []string{
		"", "*", "running", "RUNNING", `"switched from state"`, "switched-from", "run*", "*NING", "r*n*g", "r*nn*", "com.acme.Sink", "com.*.sink", "com.acme.*",
		"job:orders", "job:ORDERS", `job:"orders enrich"`, "job:00ff", "job:ord*", "ns:flink", "pod:*-taskmanager-*", "container:flink*", "node:node-a", "restart:2",
		"restart>1", "restart>=2", "restart<3", "restart<=2", "comp:taskmanager", "level:warn", "level>=warn", "level>info", "level<error", "level:w*",
		"logger:org.apache.flink.Foo", "logger:foo", "thread:main*", `thread:"MAIN (1/4)"`, "template:t1", "cause:heap-oom", "reason:*" + " or x", "kind:record",
		"exception:OutOfMemoryError", "exception:java.lang.*", "exception:broken", "exception:com.acme.Sink$Broken", "signal:transition", "k8s.cluster.name:prod",
		"k8s.pod.uid:u-1", "flink.job.name:orders*", "log.iostream:stderr", "attr.took:1500", "attr.took>1000", "attr.took<=1500", "attr.User:ann", `attr.word:"x y"`,
		"message:job", `message:"to restarting"`, "message:heap", `/RUNNING to \w+\.$/`, `/^java\.lang/`, "/(?i)orders/", `/x\/y/`, "not absent", "-absent running",
		"foo or running", "(foo or job) -bar", `incident:""`, "caused by x y", `"by x y z 1"`, "17", `"sink java 17"`,
	} {
		f(record(), q, true)
	}
	for _, q := range []string{
		"runnin", "unning", `"from switched"`, "r*x", "com.acme.x", "acme.*.invoke.*.x", "job:order", "job:enrich", "pod:taskmanager", "restart:02", "restart>2", "restart<2", "level:error",
		"level>warn", "level<warn", "logger:flink", "thread:main", "reason:*", "kind:event", "exception:Memory", "signal:trans", "attr.user:ann", "attr.User>1",
		"attr.none<5", "attr.none:*", "message:2026", "message:org", `/running to/`, `/^heap/`, "/scope\njava/", "not running", "-running", "absent or bar", `job:""`, "incident:*", "object:*",
		`"restarting java lang x"`, "type:warning",
	} {
		f(record(), q, false)
	}
	for _, q := range []string{
		"backoff", "failed", "orders-jm-0", "reason:backoff", "kind:event", "kind:pod", "type:warning", "object:orders-*", "/^BackOff$/", "/failed container$/",
		`message:"back off"`, "not level:*", `level:""`, `log.iostream:""`,
	} {
		f(event(), q, true)
	}
	for _, q := range []string{`"container backoff"`, "message:backoff", "level<fatal", "level>=trace", "kind:record", "log.iostream:*"} {
		f(event(), q, false)
	}
}

// TestMatchCase: letters are compared as Unicode folds them; invalid UTF-8 and marks part words.
func TestMatchCase(t *testing.T) {
	d := &lastnight.Document{Kind: lastnight.DocumentRecord, Text: "Straße ΣΊΣΥΦΟΣ \u212aelvin ſet İx 日本語_1 caf\xffe e\u0301a"}
	for q, want := range map[string]bool{
		"STRAßE": true, "σίσυφος": true, "ΣίσυφοΣ": true, "kelvin": true, "SET": true, "i̇x": false, "日本語_1": true, "日本": false, "caf": true, "cafe": false, `"caf e"`: true, "e a": true,
	} {
		n, err := query.Parse(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := query.Match(n, d); got != want {
			t.Errorf("%s: got %v", q, got)
		}
	}
}

func TestTokens(t *testing.T) {
	long := strings.Repeat("x", query.MaxTokenBytes)
	for in, want := range map[string][]string{
		"":                           nil,
		"--- ,.":                     nil,
		"Foo_1 bar-BAZ":              {"foo_1", "bar", "baz"},
		"a\x00b\xffc":                {"a", "b", "c"},
		"Ünïcode ٣٤ x²":              {"ünïcode", "٣٤", "x"},
		long + "yyy z":               {long, "z"},
		long[1:] + "üü z":            {long[1:], "z"},
		"end" + string([]rune{0xe9}): {"endé"},
	} {
		if diff := cmp.Diff(want, slices.Collect(query.Tokens(in))); diff != "" {
			t.Errorf("%.20q: %s", in, diff)
		}
		var got []string
		query.ScanTokens([]byte(in), func(b []byte) bool { got = append(got, string(b)); return true })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.20q as bytes: %s", in, diff)
		}
	}
}

func TestFold(t *testing.T) {
	for r := range rune(0x20000) {
		s := string(r)
		once := query.Fold(s)
		if twice := query.Fold(once); twice != once {
			t.Fatalf("%U: folds to %q, then to %q", r, once, twice)
		}
		if !strings.EqualFold(s, once) && r != 0xfffd && (r < 0xd800 || r > 0xdfff) {
			t.Fatalf("%U: folds to %q, which is another letter", r, once)
		}
	}
}

func TestWordsAndTimeRange(t *testing.T) {
	for q, want := range map[string]struct {
		words []string
		slow  bool
	}{
		"*":                           {nil, false},
		"Foo bar":                     {[]string{"bar", "foo"}, false},
		`"b a" a`:                     {[]string{"a", "b"}, false},
		"(a b) or (b c)":              {[]string{"b"}, false},
		"a or job:x":                  {nil, false},
		"a -b":                        {[]string{"a"}, false},
		"com.ac*":                     {[]string{"com"}, false},
		"com.*x":                      {[]string{"com"}, true},
		"message:a level>=warn":       {[]string{"a"}, false},
		"x /foo/":                     {[]string{"x"}, true},
		"not /foo/":                   {nil, true},
		"*foo or a":                   {nil, true},
		"pod:*foo exception:*x job:a": {nil, false},
	} {
		n, err := query.Parse(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := query.Words(n); !slices.Equal(got, want.words) {
			t.Errorf("%s: words %q, want %q", q, got, want.words)
		}
		if got := query.NeedsTimeRange(n); got != want.slow {
			t.Errorf("%s: needs a time range: %v", q, got)
		}
		err = query.CheckTimeRange(n, &lastnight.SearchRequest{})
		if (lastnight.CodeOf(err) == lastnight.CodeInvalid) != want.slow {
			t.Errorf("%s: check says %v", q, err)
		}
	}
}
