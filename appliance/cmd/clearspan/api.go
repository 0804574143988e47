package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
)

// target is a running appliance, by its configuration file.
type target struct{ file string }

var errNotFound = errors.New("404 Not Found")

// request asks the appliance's administration and returns what it answers.
// An answer of "not found" matches errNotFound.
func (t *target) request(method, path, body string) ([]byte, error) {
	cfg, err := loadConfig(t.file, config.Quick{})
	if err != nil {
		return nil, badConfig(err)
	}
	if cfg.Admin.Listen == "" {
		return nil, errors.New("the appliance cannot be asked: admin.listen is off in its configuration")
	}
	address := reachable(cfg.Admin.Listen)
	r, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the appliance at %s: %w", address, err)
	}
	r.Header.Set("Content-Type", "application/json")
	if method != http.MethodGet {
		token, err := admin.Token(cfg.State)
		if err != nil {
			return nil, fmt.Errorf("change what the running appliance has: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}} // no proxy
	res, err := client.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL
		}
		return nil, fmt.Errorf("ask the appliance at %s: %w", address, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the appliance at %s: %w", address, err)
	}
	switch res.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusNotFound:
		return nil, fmt.Errorf("ask the appliance at %s: %w", address, errNotFound)
	}
	return nil, fmt.Errorf("ask the appliance at %s: %s: %s", address, res.Status, strings.TrimSpace(string(answer)))
}

// change asks for a change of a learned entry.
func (t *target) change(method, id, body string) error {
	_, err := t.request(method, "/api/learned/"+url.PathEscape(id), body)
	if errors.Is(err, errNotFound) {
		err = fmt.Errorf("there is no entry %q: clearspan learned list shows all", id)
	}
	return err
}

// reachable turns an address that is listened on into one to connect to.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
		if a.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
