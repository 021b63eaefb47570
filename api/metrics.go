package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the API's own. Labels have few values: routes are patterns, not paths.
type metrics struct {
	// lastnight_http_requests_total: answers by route, method and status. A rise of 5xx
	// is a defect or a store that is away; 403 are pages from elsewhere or a host that is not allowed.
	requests *prometheus.CounterVec
	// lastnight_http_request_seconds: from the first byte of the request to the last of
	// the answer, by route. Streams last as long as their reader wants.
	seconds *prometheus.HistogramVec
	// lastnight_http_requests_in_flight: answers under way. At 128 questions more are refused.
	inFlight prometheus.Gauge
	// lastnight_http_refused_total: questions refused because too many were under way.
	refused prometheus.Counter
	// lastnight_http_waiting: searches that wait for their turn. Above 0 for minutes: more is asked than the
	// processors can answer.
	waiting prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lastnight_http_requests_total", Help: "Answers by route, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lastnight_http_request_seconds", Help: "Time to answer by route; streams included.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 60},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lastnight_http_requests_in_flight", Help: "Answers under way.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lastnight_http_refused_total", Help: "Questions refused because too many were under way.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lastnight_http_waiting", Help: "Searches that wait for their turn.",
		}),
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.seconds), reg.Register(m.inFlight), reg.Register(m.refused), reg.Register(m.waiting))
}

// observe counts and times every answer.
func (m *metrics) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ow := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		m.inFlight.Inc()
		defer func() {
			m.inFlight.Dec()
			route := routeOf(r)
			if route == "" {
				route = "other"
			}
			m.requests.WithLabelValues(route, methodOf(r), strconv.Itoa(max(ow.Status(), http.StatusOK))).Inc()
			m.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
		}()
		next.ServeHTTP(ow, r)
	})
}

// methodOf keeps made-up methods from becoming labels.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}
