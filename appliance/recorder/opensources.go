package recorder

import (
	"errors"

	"github.com/clearspan/clearspan/appliance/recorder/source"
)

func (r *Recorder) openSources() error {
	for _, port := range r.cfg.Interfaces {
		s, err := source.Interface(port)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	for _, address := range r.cfg.Feeds {
		r.sources = append(r.sources, source.Feed(address, r.cfg.Log))
	}
	for _, dir := range r.cfg.Incoming {
		s, err := source.Directory(dir, r.cfg.Log)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	if r.cfg.Input != nil {
		s, err := source.Pipe(r.cfg.Input.Name(), r.cfg.Input)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, s)
	}
	if r.cfg.Engine != nil {
		r.sources = append(r.sources, source.Engine("engine", r.cfg.Engine, r.volumes.Flush, r.cfg.Log))
	}
	if len(r.sources) == 0 {
		return errors.New("there is no source")
	}
	return nil
}
