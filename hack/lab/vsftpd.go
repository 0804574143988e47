package lab

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/clearspan/clearspan/hack/netlab"
)

// FTPPort is the usual one of [StartVsftpd]: AUTH TLS offered.
const FTPPort = 21

// FTP is a running FTP server.
type FTP struct {
	*Server
	Root   string // what is to be had
	Upload string // where files can be put, below Root
}

// StartVsftpd serves files to anonymous users, who may put some, too. Data
// connections are encrypted if the client asks for it; with reuse, only in the TLS
// session of the control connection.
func StartVsftpd(ns *netlab.Namespace, dir string, certificate KeyPair, port int, reuse bool) (*FTP, error) {
	owner, err := user.Lookup("ftp")
	if err != nil {
		return nil, fmt.Errorf("find owner of uploads: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	f := &FTP{Root: filepath.Join(dir, "root"), Upload: filepath.Join(dir, "root", "upload")}
	if err := ownDir(f.Root, 0, 0, 0o755); err != nil {
		return nil, err
	}
	if err := ownDir(f.Upload, uid, gid, 0o755); err != nil {
		return nil, err
	}
	if err := ownDir(filepath.Join(dir, "empty"), 0, 0, 0o555); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(vsftpdConfig, port, f.Root, filepath.Join(dir, "empty"), certificate.CertFile, certificate.KeyFile, map[bool]string{true: "YES", false: "NO"}[reuse])
	if err := writeFiles(dir, map[string]string{"vsftpd.conf": config}); err != nil {
		return nil, err
	}
	f.Server, err = startServer(ns, dir, listening(ns, nil, port), "vsftpd", filepath.Join(dir, "vsftpd.conf"))
	return f, err
}

const vsftpdConfig = `listen=NO
listen_ipv6=YES
listen_port=%d
background=NO
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_umask=022
no_anon_password=YES
anon_root=%s
secure_chroot_dir=%s
port_enable=YES
pasv_min_port=30000
pasv_max_port=39999
connect_from_port_20=YES
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=%s
rsa_private_key_file=%s
require_ssl_reuse=%s
ssl_tlsv1=YES
ssl_ciphers=HIGH
xferlog_enable=NO
`
