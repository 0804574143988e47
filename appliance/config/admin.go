package config

import "github.com/clearspan/clearspan/appliance/admin"

func (r *reader) admin(n *node, mirrors []Mirror, services []Service) (a admin.Options) {
	t := r.table(n, "admin")
	a.Listen = value(t, "listen", "127.0.0.1:8090", func(s string) (string, error) {
		if s == "off" {
			return "", nil
		}
		return parseListen(s)
	})
	r.page(t, "listen", "admin", a.Listen)
	ready := r.table(t.get("ready"), "ready")
	a.ReadyMirrors = values(ready, "mirrors", nil, among("mirror", namesOf(mirrors, func(m Mirror) string { return m.Name })))
	a.ReadyServices = values(ready, "services", nil, among("service", namesOf(services, func(s Service) string { return s.Name })))
	ready.close()
	t.fill("admin", "", &a)
	t.close()
	return a
}

func namesOf[T any](list []T, name func(T) string) (names []string) {
	for _, item := range list {
		names = append(names, name(item))
	}
	return names
}
