package clickhouse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where the server is.
type Config struct {
	// URL is that of the HTTP interface, such as http://trail.example.test:8123/?database=trail.
	// It may have a user and a password. The database is made if it is not there.
	URL string
	// Spool is the directory of batches that the server has not got yet.
	Spool string
	// SpoolSize bounds the octets in Spool; 0: 1 GiB.
	SpoolSize int64
	// Client is the one to ask with; nil: one of the store's own.
	Client *http.Client
}

// Store is a trail in a server.
type Store struct {
	url      url.URL // without the user
	user     *url.Userinfo
	database string
	client   *http.Client
	spool    *spool

	mu    sync.Mutex  // over writing
	ready bool        // the tables are there
	last  uint64      // version of the last batch
	retry *time.Timer // nil: nothing is kept, as far as is known

	away atomic.Pointer[error] // why the last batch was not sent

	ctx  context.Context // of what goes on by itself
	stop context.CancelFunc
}

const (
	askFor   = 10 * time.Second // bounds a question
	writeFor = time.Minute
	maxError = 500
)

// Open returns the store. It does not wait for the server: batches are kept until it answers.
func Open(c Config) (*Store, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("open the trail: the URL of ClickHouse is none of http or https")
	}
	s := &Store{user: u.User, database: u.Query().Get("database"), client: c.Client}
	if s.database == "" {
		s.database = "default"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	s.url = *u
	if s.client == nil {
		s.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if s.spool, err = openSpool(c.Spool, c.SpoolSize); err != nil {
		return nil, fmt.Errorf("open the trail: %w", err)
	}
	s.last = s.spool.newest()
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the connections. Batches that are kept stay.
func (s *Store) Close() error {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retry != nil {
		s.retry.Stop()
		s.retry = nil
	}
	s.client.CloseIdleConnections()
	return nil
}

// refused is an answer of the server that says no.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("ClickHouse: %d: %s", r.status, r.text) }

// send asks the server to run a statement. Data goes behind it. The body must be closed.
func (s *Store) send(ctx context.Context, database, statement string, data []byte) (io.ReadCloser, error) {
	u := s.url
	q := url.Values{"wait_end_of_query": {"1"}, "max_query_size": {"16777216"}}
	if database != "" {
		q.Set("database", database)
	}
	body := []byte(statement)
	if data != nil {
		q.Set("query", statement)
		body = data
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s.user != nil {
		password, _ := s.user.Password()
		r.SetBasicAuth(s.user.Username(), password)
	}
	w, err := s.client.Do(r)
	if e := (*url.Error)(nil); errors.As(err, &e) { // its text has the whole statement
		return nil, fmt.Errorf("ClickHouse at %s: %w", s.url.Host, e.Err)
	}
	if err != nil {
		return nil, err
	}
	if w.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(w.Body, maxError))
		w.Body.Close()
		return nil, &refused{w.StatusCode, strings.ToValidUTF8(strings.TrimSpace(string(text)), "\ufffd")}
	}
	return w.Body, nil
}

// run runs a statement that has no answer.
func (s *Store) run(ctx context.Context, database, statement string, data []byte) error {
	body, err := s.send(ctx, database, statement, data)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}

// ask calls f with each row of an answer.
func (s *Store) ask(ctx context.Context, statement string, f func(*answer)) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	body, err := s.send(ctx, s.database, statement+" format RowBinary", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	a := &answer{r: bufio.NewReaderSize(body, 64<<10)}
	for a.more() {
		f(a)
	}
	return a.err
}

// prepare makes the database and its tables. mu is held.
func (s *Store) prepare(ctx context.Context) error {
	if s.ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeFor)
	defer cancel()
	if err := s.run(ctx, "", "create database if not exists "+quoted(s.database), nil); err != nil {
		return err
	}
	for _, t := range tables {
		if err := s.run(ctx, s.database, t, nil); err != nil {
			return err
		}
	}
	s.ready = true
	return nil
}

// quoted writes a name into a statement.
func quoted(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
