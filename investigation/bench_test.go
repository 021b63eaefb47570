package investigation

import (
	"testing"
	"time"
)

// BenchmarkInvestigate is a bad night: a job that restarts 300 times and warns all the while.
func BenchmarkInvestigate(b *testing.B) {
	s := newScene(b)
	s.running()
	for i := range 300 {
		at := 100 + float64(i)*20
		s.failed(at, "java.lang.IllegalStateException: no\n\tat com.acme.A.b(A.java:1)")
		s.restart(at + 0.1)
		for j := range 20 {
			s.say(at+float64(j)/2, sceneTM1, "ERROR", "com.acme.A", "Lookup failed\njava.net.ConnectException: Connection refused")
		}
	}
	for id := range s.m.docs {
		s.m.important[id] = true
	}
	x := &investigator{source: s.m, catalogue: s.c, now: time.Now()}
	b.ReportMetric(float64(len(s.m.docs)), "documents")
	for b.Loop() {
		if _, _, err := x.investigate(b.Context(), workloadKey{"prod", "wordcount"}, s.zero, s.zero.Add(3*time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
