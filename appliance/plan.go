package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/intakes"
	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/services"
)

// Names of what the keeper holds.
const (
	heldAdmin   = "admin"
	heldPublish = "publish"
	heldControl = "control"
)

// NewPlan tells the keeper what a box of cfg needs of it. text is what cfg was read
// from.
func NewPlan(cfg *config.Config, text []byte) *keeper.Plan {
	parsed := func(p *keeper.Plan) *config.Config { return p.Parsed.(*config.Config) }
	return &keeper.Plan{
		Configuration: text,
		Parsed:        cfg,
		Resources:     resources(cfg),
		Tied:          slices.ContainsFunc(cfg.Services, services.Tied),
		Drain:         cfg.Drain,
		InPlace:       func(running *keeper.Plan) bool { return len(differing(fixed, parsed(running), cfg)) == 0 },
		Changed: func(running *keeper.Plan) []string {
			before := parsed(running)
			return append(differing(fixed, before, cfg), differing(changing, before, cfg)...)
		},
	}
}

// resources are what the keeper opens for a box.
func resources(cfg *config.Config) []keeper.Resource {
	list := []keeper.Resource{keeper.Orders(cfg.State), controlSocket(cfg.State)}
	list = append(list, intakes.Resources(cfg)...)
	list = append(list, services.Resources(cfg)...)
	for _, m := range cfg.Mirrors {
		if m.Kind == config.PCAPOverIP {
			list = append(list, intakes.Listener(feed.ResourceName(m), m.Live.Addr), feeders(feed.FeedersPath(cfg.State, m), feed.FeedersName(m)))
		}
	}
	if cfg.Authority.Publish != "" {
		list = append(list, intakes.Listener(heldPublish, cfg.Authority.Publish))
	}
	if cfg.Admin.Listen != "" {
		list = append(list, intakes.Listener(heldAdmin, cfg.Admin.Listen))
	}
	return list
}

// controlSocket is the resource of the control socket.
func controlSocket(state string) keeper.Resource {
	return keeper.Resource{
		Name: heldControl, Key: "control " + state,
		Open: func() (keeper.Holding, error) {
			socket, err := control.Listen(state)
			if err != nil {
				return nil, stateInUse(state, err)
			}
			f, err := socket.File()
			if err != nil {
				socket.Close()
				return nil, fmt.Errorf("hold control socket: %w", err)
			}
			if err := socket.UnixListener.Close(); err != nil { // f goes on
				return nil, fmt.Errorf("hold control socket: %w", err)
			}
			return heldSocket{keeper.Files{f}, state}, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) { return heldSocket{files, state}, nil },
	}
}

// heldSocket is the control socket, which stays until the end: processes that drain are
// asked by it.
type heldSocket struct {
	files keeper.Files
	state string
}

func (s heldSocket) Files() []*os.File { return s.files }
func (s heldSocket) Stop() error       { return nil }
func (s heldSocket) Retire() error     { return s.Close() }
func (s heldSocket) Paths() []string   { return control.Paths(s.state) }

// Close ends listening, and removes the socket's file.
func (s heldSocket) Close() error {
	if err := s.files.Close(); err != nil {
		return err
	}
	return control.Remove(s.state)
}

// feeders is the resource of the socket at which a process that ends its sessions hands the
// readers of a live feed over.
func feeders(path, name string) keeper.Resource {
	return keeper.Resource{
		Name: name, Key: "feeders " + path,
		Open: func() (keeper.Holding, error) {
			f, err := keeper.ListenUnix(path)
			if err != nil {
				return nil, fmt.Errorf("listen for feeds: %w", err)
			}
			return heldFeeders{keeper.Files{f}, path}, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) { return heldFeeders{files, path}, nil },
	}
}

// heldFeeders is such a socket, which stays until the end: processes that drain use it.
type heldFeeders struct {
	files keeper.Files
	path  string
}

func (h heldFeeders) Files() []*os.File { return h.files }
func (h heldFeeders) Stop() error       { return nil }
func (h heldFeeders) Paths() []string   { return []string{h.path} }

// Close ends listening, and removes the socket's file.
func (h heldFeeders) Close() error {
	err := h.files.Close()
	if gone := os.Remove(h.path); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
