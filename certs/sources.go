package certs

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/clearspan/clearspan/certs/fetch"
)

const (
	sourceEntries  = 20_000
	sourceOctets   = 128 << 20
	sourceLifetime = 4 * time.Hour // no answer is used longer, whatever it says
	answerCost     = 512           // octets of an entry that holds no list
	maxURLs        = 2             // addresses tried of each kind
	leastTime      = 100 * time.Millisecond
	maxOCSPGet     = 255 // octets of an URL (RFC 5019, Section 5)
	listsAtOnce    = 4   // lists in memory while they are fetched
)

// kinds of cache entries, so that they share no key.
const (
	kindOCSP uint32 = 1 << 20 * (iota + 1)
	kindCRL
	kindHost
	kindIssuer
)

// source is what was fetched, or why it was not.
type source struct {
	answer answer // of a kindOCSP
	list   *CRL   // of a kindCRL
	err    error

	issuers []*x509.Certificate // of a kindIssuer
}

// sources asks the network, at most once for what is wanted by many, and
// remembers answers until they run out and failures for a minute: those of a
// server that is not reached for all that would be asked of it. No lock is held
// while the network is waited for. Safe for concurrent use.
type sources struct {
	fetcher Fetcher
	maxCRL  int64
	log     *slog.Logger
	lists   chan struct{} // holds one for each list that is being fetched or read

	mu      sync.Mutex
	cache   *lru[source]
	pending map[digest]*pendingFetch
}

// pendingFetch is a fetch that others wait for.
type pendingFetch struct {
	done     chan struct{} // closed by who fetches, after source is set
	source   source
	canceled bool // who fetched was called away: it says nothing about the source
}

func newSources(f Fetcher, maxCRL int64, log *slog.Logger) *sources {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &sources{
		fetcher: f, maxCRL: maxCRL, log: log, lists: make(chan struct{}, listsAtOnce),
		cache: newLRU[source](sourceEntries, sourceOctets), pending: make(map[digest]*pendingFetch),
	}
}

// ask returns what OCSP responders, or else lists, that a certificate names say
// of it. Half of the time is left for the lists if there are both.
func (s *sources) ask(ctx context.Context, l issuedCert, now time.Time) (answer, error) {
	responders, points := plainHTTP(l.cert.OCSPServer), plainHTTP(l.cert.CRLDistributionPoints)
	if len(responders)+len(points) == 0 {
		return answer{}, errors.New("certificate names no source that is asked by HTTP")
	}
	var faults []error
	half, cancel := halveDeadline(ctx, len(points) > 0)
	defer cancel()
	for _, address := range responders {
		got := s.get(half, kindOCSP, address, []*x509.Certificate{l.cert, l.issuer}, now, func(ctx context.Context) (source, time.Time, error) {
			return s.fetchOCSP(ctx, address, l, now)
		})
		if got.err == nil {
			return got.answer, nil
		}
		faults = append(faults, got.err)
	}
	for _, address := range points {
		got := s.get(ctx, kindCRL, address, []*x509.Certificate{l.issuer}, now, func(ctx context.Context) (source, time.Time, error) {
			return s.fetchCRL(ctx, address, l.issuer, now)
		})
		if got.err == nil {
			var a answer
			if a, got.err = got.list.status(l.cert, now); got.err == nil {
				return a, nil
			}
		}
		faults = append(faults, got.err)
	}
	return answer{}, errors.Join(faults...)
}

// plainHTTP returns the addresses that are asked.
func plainHTTP(addresses []string) []string {
	var list []string
	for _, a := range addresses {
		if len(a) >= 7 && strings.EqualFold(a[:7], "http://") && len(list) < maxURLs {
			list = append(list, a)
		}
	}
	return list
}

func halveDeadline(ctx context.Context, halve bool) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok || !halve {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// get returns what is cached, or fetches it, or waits for who does.
func (s *sources) get(ctx context.Context, kind uint32, address string, about []*x509.Certificate, now time.Time,
	load func(context.Context) (source, time.Time, error),
) source {
	key := chainKey(kind, address, about)
	host := chainKey(kindHost, hostOf(address), nil)
	for {
		s.mu.Lock()
		got, ok := s.cache.get(key, now)
		if !ok {
			got, ok = s.cache.get(host, now)
		}
		f := s.pending[key]
		if ok || f == nil && !enoughTime(ctx) {
			s.mu.Unlock()
			if !ok {
				got.err = fmt.Errorf("ask %s: no time left", address)
			}
			return got
		}
		if f == nil {
			f = &pendingFetch{done: make(chan struct{})}
			s.pending[key] = f
			s.mu.Unlock()
			s.fetch(ctx, f, kind, key, host, address, now, load)
			return f.source
		}
		s.mu.Unlock()
		select {
		case <-f.done:
			if !f.canceled {
				return f.source
			}
		case <-ctx.Done():
			return source{err: fmt.Errorf("ask %s: %w", address, ctx.Err())}
		}
	}
}

func enoughTime(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(end) >= leastTime)
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return strings.ToLower(u.Host)
	}
	return address
}

// fetch fetches and tells the others.
func (s *sources) fetch(ctx context.Context, f *pendingFetch, kind uint32, key, host digest, address string, now time.Time,
	load func(context.Context) (source, time.Time, error),
) {
	defer close(f.done)
	id := key
	got, until, err := load(ctx)
	f.canceled = errors.Is(ctx.Err(), context.Canceled)
	if err != nil {
		err = fmt.Errorf("ask %s: %w", address, err)
		got, until = source{err: err}, now.Add(failureLifetime)
		if errors.Is(err, fetch.ErrUnreachable) {
			key = host
		}
		if !f.canceled {
			if kind == kindIssuer {
				s.log.Warn("issuer not fetched", "url", address, "err", err)
			} else {
				s.log.Warn("revocation source failed", "url", address, "err", err)
			}
		}
	}
	f.source = got
	cost := int64(answerCost) + 4*derLen(got.issuers)
	if got.list != nil {
		cost += got.list.cost()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
	if !f.canceled {
		s.cache.put(key, got, cost, earliest(until, now.Add(sourceLifetime)))
	}
}

// fetchOCSP asks a responder: by GET if the question is short, so that caches on
// the way may answer (RFC 5019, Section 5).
func (s *sources) fetchOCSP(ctx context.Context, address string, l issuedCert, now time.Time) (source, time.Time, error) {
	question, err := ocsp.CreateRequest(l.cert, l.issuer, nil)
	if err != nil {
		return source{}, time.Time{}, fmt.Errorf("form OCSP request: %w", err)
	}
	get := strings.TrimSuffix(address, "/") + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(question))
	var der []byte
	if len(get) <= maxOCSPGet && !strings.ContainsAny(address, "?#") {
		der, err = s.fetcher.Fetch(ctx, get, "", nil, maxOCSP)
	} else {
		der, err = s.fetcher.Fetch(ctx, address, "application/ocsp-request", question, maxOCSP)
	}
	if err != nil {
		return source{}, time.Time{}, err
	}
	a, err := readOCSP(der, l.cert, l.issuer, now)
	return source{answer: a}, a.until, err
}

func (s *sources) fetchCRL(ctx context.Context, address string, issuer *x509.Certificate, now time.Time) (source, time.Time, error) {
	select {
	case s.lists <- struct{}{}:
		defer func() { <-s.lists }()
	case <-ctx.Done():
		return source{}, time.Time{}, fmt.Errorf("wait for one of %d lists: %w", listsAtOnce, ctx.Err())
	}
	der, err := s.fetcher.Fetch(ctx, address, "", nil, s.maxCRL)
	if err != nil {
		return source{}, time.Time{}, err
	}
	list, err := ParseCRL(der)
	if err != nil {
		return source{}, time.Time{}, err
	}
	if err := list.checkIssuer(issuer); err != nil {
		return source{}, time.Time{}, err
	}
	return source{list: list}, latest(fresh(list.thisUpdate, list.nextUpdate), now.Add(failureLifetime)), nil
}
