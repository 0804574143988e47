package admin

import (
	"crypto/subtle"
	"encoding/json"
	"mime"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clearspan/clearspan/decrypt/learn"
)

// Learned is what was learned of sessions; a *[learn.Table] is one. It is called
// concurrently. The server answers:
//
//	GET    /api/learned      {"entries": [...]}, see [learn.Entry]
//	POST   /api/learned/ID   {"kept": true}: keep it beyond its time; false takes that back
//	DELETE /api/learned/ID   forget it
//
// A change may have sessions pass unopened. So it is for this machine alone, over
// the loopback interface, for those who know the token (Authorization: Bearer), and
// for no web page that a browser here shows: the host must be an address or
// localhost, the origin none or ours, the content JSON.
type Learned interface {
	List() []learn.Entry
	Keep(id string, keep bool) bool
	Delete(id string) bool
}

const maxBody = 4 << 10 // of a request, in octets

type learned struct {
	table Learned
	token string
}

// register adds what is there to ask and to change.
func (l learned) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/learned", l.list)
	mux.Handle("POST /api/learned/{id}", guardChange(l.token, http.HandlerFunc(l.keep)))
	mux.Handle("DELETE /api/learned/{id}", guardChange(l.token, http.HandlerFunc(l.remove)))
}

// guardChange lets requests through that know the token and that no web page can
// have made. The empty token is nobody's.
func guardChange(token string, next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case !isLoopback(local):
			answer(w, http.StatusForbidden, "changes are made from this machine, on its loopback address")
		case !ownHost(r.Host), origins.Check(r) != nil:
			answer(w, http.StatusForbidden, "changes are not made by web pages")
		case token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1:
			w.Header().Set("WWW-Authenticate", `Bearer realm="clearspan"`)
			answer(w, http.StatusUnauthorized, "changes need the token of the state directory, "+TokenName)
		case kind != "application/json":
			answer(w, http.StatusUnsupportedMediaType, "the content type must be application/json")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

func (l learned) list(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(map[string][]learn.Entry{"entries": l.table.List()})
}

func (l learned) keep(w http.ResponseWriter, r *http.Request) {
	var change struct {
		Kept *bool `json:"kept"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&change); err != nil || change.Kept == nil {
		answer(w, http.StatusBadRequest, `want {"kept": true} or {"kept": false}`)
		return
	}
	found(w, l.table.Keep(r.PathValue("id"), *change.Kept))
}

func (l learned) remove(w http.ResponseWriter, r *http.Request) {
	found(w, l.table.Delete(r.PathValue("id")))
}

func found(w http.ResponseWriter, ok bool) {
	if !ok {
		answer(w, http.StatusNotFound, "there is no such entry")
		return
	}
	answer(w, http.StatusOK, "done")
}

// Learned adds the metrics of what was learned. read is called when metrics are,
// concurrently.
func (m *Metrics) Learned(read func() learn.Stats) error {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return m.registry.Register(&learnedStats{
		entries:   desc("learned_entries", "Learned entries that exist, by lesson.", "lesson"),
		lessons:   desc("lessons_total", "Learned entries since the start, by lesson.", "lesson"),
		forgotten: desc("learned_forgotten_total", "Learned entries that clearspan removed to make room."),
		read:      read,
	})
}

type learnedStats struct {
	entries, lessons, forgotten *prometheus.Desc
	read                        func() learn.Stats
}

// Describe implements [prometheus.Collector].
func (l *learnedStats) Describe(to chan<- *prometheus.Desc) {
	to <- l.entries
	to <- l.lessons
	to <- l.forgotten
}

// Collect implements [prometheus.Collector].
func (l *learnedStats) Collect(to chan<- prometheus.Metric) {
	s := l.read()
	for _, lesson := range learn.Lessons {
		to <- prometheus.MustNewConstMetric(l.entries, prometheus.GaugeValue, float64(s.Entries[lesson]), string(lesson))
		to <- prometheus.MustNewConstMetric(l.lessons, prometheus.CounterValue, float64(s.Learned[lesson]), string(lesson))
	}
	to <- prometheus.MustNewConstMetric(l.forgotten, prometheus.CounterValue, float64(s.Forgotten))
}
