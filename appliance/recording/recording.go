// Package recording turns the section recorder of a configuration into a recorder, and into the
// process that a keeper has beside its workers.
package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"os"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/retain"
	"github.com/clearspan/clearspan/appliance/recorder/source"
)

// RoleName is the name of the process, as in `clearspan role NAME`.
var RoleName = rights.Recorder.Name

// Config returns what the section says. engine is where workers connect; nil: there are none, and
// a source of kind engine is an error.
func Config(cfg *config.Config, engine *net.UnixListener, log *slog.Logger) (recorder.Config, error) {
	r := cfg.Recorder
	if r == nil {
		return recorder.Config{}, fmt.Errorf("the configuration has no section recorder")
	}
	c := recorder.Config{
		Directory: r.Directory, Trail: r.ClickHouse, Retain: policy(&r.Retain), Sign: r.Seal.Every,
		User: cfg.User, Log: log, API: r.API, Timestamp: r.Seal.Timestamp, Encrypt: recorder.Encryption{To: r.Encrypt.To, What: r.Encrypt.What},
	}
	for _, s := range r.Sources {
		switch s.Kind {
		case config.SourceInterface:
			c.Interfaces = append(c.Interfaces, source.Port{Name: s.Interface, Rings: int(s.Rings), Ring: int64(s.Ring), Filter: s.Filter})
		case config.SourceFeed:
			c.Feeds = append(c.Feeds, s.Connect)
		case config.SourceDirectory:
			c.Incoming = append(c.Incoming, s.Directory)
		case config.SourceEngine:
			if engine == nil {
				return c, fmt.Errorf("source %s: kind engine is for clearspan run", s.Name)
			}
			c.Engine = engine
		}
	}
	lists := recorder.Lists{Patterns: r.Inspect.Patterns}
	for _, f := range r.Inspect.Dictionaries {
		lists.Dictionaries = append(lists.Dictionaries, recorder.List(f))
	}
	for _, f := range r.Inspect.Registered {
		lists.Registered = append(lists.Registered, recorder.List(f))
	}
	var err error
	if c.Inspect, err = lists.Load(context.Background()); err != nil {
		return c, err
	}
	c.Inside, c.Rules, c.Received, c.Passwords = r.Inside, r.Inspect.Rules, r.Inspect.Received, r.Inspect.Passwords
	for _, a := range r.Alerts {
		c.Alerts = append(c.Alerts, a.Name+"="+a.Address)
	}
	return c, nil
}

// policy returns what is kept.
func policy(r *config.Retain) retain.Policy {
	limit := func(b config.Bound) retain.Limit { return retain.Limit{Age: b.Age, Size: int64(b.Size)} }
	return retain.Policy{Packets: limit(r.Packets), Received: limit(r.Received), Sent: limit(r.Sent), Mail: limit(r.Mail), Trail: limit(r.Trail)}
}

// Options are what the process is told.
type Options struct {
	File  string `json:"file,omitempty"` // of the configuration
	Text  []byte `json:"text"`
	Level string `json:"level"` // of the log
}

// Companion returns the resource of the process; nil if the configuration has no recorder. o.Text
// is what cfg was read from.
func Companion(cfg *config.Config, o Options, log *slog.Logger) *keeper.Resource {
	if cfg.Recorder == nil {
		return nil
	}
	text, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts
	}
	about, err := json.Marshal(cfg.Recorder)
	if err != nil {
		panic(err) // texts and numbers
	}
	h := fnv.New64a()
	h.Write(about)
	h.Write([]byte(cfg.User))
	r := keeper.Companion{
		Name: RoleName, Key: fmt.Sprintf("recorder %s %016x", cfg.State, h.Sum64()),
		Socket: config.RecorderSocket(cfg.State),
		Title:  "clearspan", Program: "/proc/self/exe", Arguments: []string{"role", RoleName},
		Options: text, Logger: log,
	}.Resource()
	return &r
}

// Inherited returns what the process was given: its options, the socket at which workers connect,
// and a file that ends when the process is to end.
func Inherited() (o Options, l *net.UnixListener, life *os.File, err error) {
	options := os.NewFile(keeper.CompanionOptions, "options")
	defer options.Close()
	text, err := keeper.CompanionText(options)
	if err != nil {
		return o, nil, nil, fmt.Errorf("options of the keeper: %w", err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, nil, nil, fmt.Errorf("options of the keeper: %w", err)
	}
	socket := os.NewFile(keeper.CompanionSocket, "socket")
	defer socket.Close()
	any, err := net.FileListener(socket)
	if err != nil {
		return o, nil, nil, fmt.Errorf("socket of the keeper: %w", err)
	}
	l, ok := any.(*net.UnixListener)
	if !ok {
		any.Close()
		return o, nil, nil, errors.New("socket of the keeper is no Unix socket")
	}
	return o, l, os.NewFile(keeper.CompanionLife, "life"), nil
}
