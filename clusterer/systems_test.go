package clusterer_test

import (
	"strings"
	"testing"

	"lastnight/clusterer"
)

// TestTemplatesOfSystems: what programs of other kinds than ours write, made up after their log
// statements. The lines of one block are one template each time, that of its last line.
func TestTemplatesOfSystems(t *testing.T) {
	for _, block := range []string{
		// Access logs: the method is constant, what is asked for is not; one address or a list of them.
		`10.11.10.1 "GET /v2/54fadb412c4e40cd/servers/detail HTTP/1.1" status: 200 len: 1893 time: 0.2477829
		10.11.21.122,10.11.10.1 "GET /latest/meta-data/ HTTP/1.1" status: 404 len: 124 time: 0.2264020
		=<*> "GET <*>" status: <*> len: <*> time: <*>`,
		`10.11.10.1 "DELETE /v2/servers/b9000564-fe1a-409b-b8cc-1e88b294cd1d HTTP/1.1" status: 204 len: 203 time: 0.2195110
		=<*> "DELETE <*>" status: <*> len: <*> time: <*>`,
		// States.
		`[instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] VM Started (Lifecycle Event)
		=[instance: <*>] VM Started (Lifecycle Event)`,
		`[instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] VM Paused (Lifecycle Event)
		=[instance: <*>] VM Paused (Lifecycle Event)`,
		`Job orders (4f2a0c1b9e8d7a6b5c4d3e2f1a0b9c8d) switched from state RUNNING to FAILED.
		Job clicks-by-user (00000000c1b9e8d7a6b5c4d3e2f1a0b9) switched from state RUNNING to FAILED.
		=Job <*> (<*>) switched from state RUNNING to FAILED.`,
		`Job orders (4f2a0c1b9e8d7a6b5c4d3e2f1a0b9c8d) switched from state RUNNING to FINISHED.
		=Job <*> (<*>) switched from state RUNNING to FINISHED.`,
		// Sizes and bounds on times.
		`www.example.com:443 close, 1196 bytes (1.16 KB) sent, 1250 bytes (1.22 KB) received, lifetime 01:12
		10.0.0.1:443 close, 11 bytes (1.16 MB) sent, 1250 bytes (129 KB) received, lifetime <1 sec
		=<*> close, <*> bytes (<*>) sent, <*> bytes (<*>) received, lifetime <*>`,
		// Hidden and missing values.
		`Fan speeds ( 3552 3534 3375 4245 )
		Fan speeds ( 3534 3534 **** 3515 )
		=Fan speeds ( <*> <*> <*> <*> )`,
		`connect user=admin password=****
		connect user=bob password=******
		=connect user=<*> password=<*>`,
		// Empty values and keys.
		`authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1 user=root
		authentication failure; logname=LOGIN uid=0 euid=0 tty= ruser=x rhost= user=bob
		=authentication failure; logname=<*> uid=<*> euid=<*> tty=<*> ruser=<*> rhost=<*> user=<*>`,
		// Lists.
		`cannot resolve names an731 dn752 dn753 dn754 of the pool
		cannot resolve names bn256 bn257 of the pool
		=cannot resolve names <*> of the pool`,
		`arguments are [--name, orders, --rate, 12] today
		arguments are [--name, clicks] today
		=arguments are [<*>] today`,
		`Audit {"type":"rows","n":2,"rows":[{"id":1,"v":"a]"},{"id":2,"v":"b"}]}
		Audit {"type":"rows","n":1,"rows":[{"id":3,"v":"a"}]}
		=Audit {"type":"<*>","n":<*>,"rows":[<*>]}`,
		// Names with digits, addresses, hex.
		`data_thread() got no answer from any [Thunderbird_A7] datasource
		data_thread() got no answer from any [Thunderbird_B6] datasource
		=data_thread() got no answer from any [<*>] datasource`,
		`Accepted publickey for user root from ::ffff:10.100.2.106 port 53412 ssh2
		Accepted publickey for user alice from 10.100.2.106 port 53412 ssh2
		=Accepted publickey for user <*> from <*> port <*> ssh2`,
		`Accepted publickey for root from 10.100.2.106 port 53412 ssh2
		Accepted publickey for alice from ::1 port 53412 ssh2
		=Accepted publickey for <*> from <*> port <*> ssh2`,
		`Read cached applicability for package: Package_for_KB3150220~31bf3856ad364e35~amd64~~6.1.1.1, State: 112
		Read cached applicability for package: Microsoft-Windows-Foundation~31bf3856ad364e35~amd64~~11.2.9600.16428, State: 0
		=Read cached applicability for package: <*>, State: <*>`,
		`Unloading hive: {bf1a281b-ad7b-4476-ac95-f47682990ce7}GLOBALROOT/Device/Volume2/Windows/System32
		=Unloading hive: {<*>}<*>`,
		`ARPT: 620701.011328: AirPort_Brcm43xx::syncPowerState: WWEN[enabled]
		ARPT: 620702.879952: AirPort_Brcm43xx::syncPowerState: WWEN[enabled]
		=ARPT: <*>: AirPort_Brcm43xx::syncPowerState: WWEN[enabled]`,
		`getTodaySteps = 1514038440000##6993##548365##8661
		=getTodaySteps = <*>`,
		`registers 00000000 ffffffff 0badcafe at stop
		=registers <*> <*> <*> at stop`,
		`no worker for PT3S
		no worker for PT1H30M
		=no worker for <*>`,
	} {
		c := clusterer.New(clusterer.Config{})
		lines := strings.Split(block, "\n")
		want := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "=")
		var ids []string
		for _, line := range lines[:len(lines)-1] {
			message := []byte(strings.TrimSpace(line))
			m := c.Add(message, nil, nil)
			check(t, c, message, m)
			ids = append(ids, m.ID)
		}
		for i, id := range ids {
			if tpl, _ := c.Template(c.Resolve(id)); tpl.Text != want {
				t.Errorf("%s\n got %s\nwant %s", strings.TrimSpace(lines[i]), tpl.Text, want)
			}
		}
	}
}

// TestKinds: variables have the kind that they look like.
func TestKinds(t *testing.T) {
	for value, want := range map[string]string{
		"4711": "number", "-1.5": "number", "1.5E-7": "number", "350ms": "duration", "1h2m": "duration", "PT3S": "duration",
		"12KB": "size", "12 KB": "size", "1.5GiB": "size", "10.0.0.1": "ip", "10.11.21.122": "ip", "fe80::1": "ip", "::ffff:10.0.0.1": "ip",
		"10.0.0.1:80": "hostport", "db-1.example.com:5432": "hostport", "/var/log/pods": "path", `C:\Windows\x.dll`: "path",
		"https://example.com/a?b=c": "url", "b9000564-fe1a-409b-b8cc-1e88b294cd1d": "uuid", "0x1fffe": "hex", "4f2a0c1b9e8d7a6b": "hex",
		"2026-11-21T11:53:28Z": "time", "11:53:28": "time", "2026-11-21 11:53:28,376": "time", "00:11:43:e3:ba:c3": "mac", "container_12_34": "word",
	} {
		line := []byte("the value " + value + " was read")
		m := clusterer.New(clusterer.Config{}).Add(line, nil, nil)
		if len(m.Vars) != 1 || string(line[m.Vars[0].From:m.Vars[0].To]) != value || m.Vars[0].Kind.String() != want {
			t.Errorf("%q: %q %v, want one %s", value, clusterer.Values(line, m.Vars), m.Vars, want)
		}
	}
	line := []byte(`the value "a b c" was read`)
	if m := clusterer.New(clusterer.Config{}).Add(line, nil, nil); len(m.Vars) != 1 || m.Vars[0].Kind.String() != "quoted" {
		t.Errorf("a quoted value: %v", m.Vars)
	}
}

// TestGeneratedNames: what a runtime generated anew makes no other template, another cause does.
func TestGeneratedNames(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	add := func(msg string, exc ...string) string { return c.Add([]byte(msg), exc, nil).ID }
	a := add("Operator com.acme.Enrich$$Lambda$314/0x0000000800c5a840@1f2e3d4c failed", "com.acme.Failure$$EnhancerByCGLIB$$1a2b3c", "java.io.IOException")
	b := add("Operator com.acme.Enrich$$Lambda$27/0x0000000801a00000@5b6c7d8e failed", "com.acme.Failure$$EnhancerByCGLIB$$99ff00", "java.io.IOException")
	other := add("Operator com.acme.Enrich$$Lambda$27/0x0000000801a00000@5b6c7d8e failed", "com.acme.Failure$$EnhancerByCGLIB$$99ff00", "java.lang.OutOfMemoryError")
	if a != b || a == other {
		t.Errorf("ids %s and %s of one cause, %s of another", a, b, other)
	}
	if tpl, _ := c.Template(a); tpl.Exception[0] != "com.acme.Failure" {
		t.Errorf("exception types %q", tpl.Exception)
	}
	p := add("x failed", "com.sun.proxy.$Proxy12")
	if q := add("x failed", "com.sun.proxy.$Proxy7"); p != q {
		t.Errorf("proxies have templates %s and %s", p, q)
	}
}
