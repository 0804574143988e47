package main

import (
	"context"
	"errors"
	"net"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/api"
)

// recorderAPI answers questions while a recorder runs. A nil one does not.
type recorderAPI struct {
	config   recorder.Config
	recorder *recorder.Recorder
	listener net.Listener
}

// listenAPI listens where a recorder is told to answer; nil: nowhere.
func listenAPI(c recorder.Config, r *recorder.Recorder) (*recorderAPI, error) {
	if c.API == "" {
		return nil, nil
	}
	l, err := api.Listen(c.API)
	if err != nil {
		return nil, badConfig(err)
	}
	return &recorderAPI{c, r, l}, nil
}

func (a *recorderAPI) close() error {
	if a == nil {
		return nil
	}
	return a.listener.Close()
}

// during runs a recorder, and answers meanwhile. If that fails, the recorder goes on.
func (a *recorderAPI) during(ctx context.Context, run func(context.Context) error) error {
	if a == nil {
		return run(ctx)
	}
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		if err := a.serve(ctx); err != nil {
			a.config.Log.Error("the API has ended", "err", err)
		}
	}()
	err := run(ctx)
	stop()
	<-ended
	return err
}

func (a *recorderAPI) serve(ctx context.Context) error {
	dir, log := a.config.Directory, a.config.Log
	archive, err := recorder.OpenArchive(dir, a.config.Trail)
	if err != nil {
		return errors.Join(err, a.listener.Close())
	}
	defer archive.Close()
	a.recorder.Lend(archive)
	accesses, err := api.OpenLog(dir)
	if err != nil {
		return errors.Join(err, a.listener.Close())
	}
	defer accesses.Close()
	log.Info("answering questions", "address", a.config.API)
	return api.Serve(ctx, a.listener, api.Handler(api.Config{
		Directory: dir, Archive: archive, Tokens: api.OpenTokens(dir), Log: accesses.Write, Logger: log,
	}), log)
}
