package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/hack/lab"
)

// file writes one that a client sends.
func (s *evidence) file(name string, content []byte) (string, error) {
	path := filepath.Join(s.box, name)
	return path, os.WriteFile(path, content, 0o644)
}

// passLFTP has lftp put a file, and get one, without TLS.
func (s *evidence) passLFTP(ctx context.Context, out *story) error {
	const put, got = "製造指示書.txt", "配布資料.pdf"
	sent, received := bytes.Repeat([]byte("order 17\n"), 5000), bytes.Repeat([]byte("%PDF handout\x00"), 9000)
	path, err := s.file(put, sent)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.ftp.Root, got), received, 0o644); err != nil {
		return err
	}
	command := lab.LFTP(lab.SwitchOriginV4, "", fmt.Sprintf("put -O upload %s; get %s -o %s", path, got, filepath.Join(s.box, "copy")))
	if _, err := lab.Run(ctx, s.gateway.Client, "", command[0], command[1:]...); err != nil {
		return err
	}
	s.add(out, put, sent, "sent", "lftp put "+put)
	s.add(out, got, received, "received", "lftp get "+got)
	return nil
}

// passSamba has smbclient put a file, and get one.
func (s *evidence) passSamba(ctx context.Context, out *story) error {
	const put, got = "設計図 第2版.dwg", "会議_議事録.docx"
	sent, received := bytes.Repeat([]byte("layer\x00\xfe"), 200_000), bytes.Repeat([]byte("PK minutes"), 30_000)
	path, err := s.file(put, sent)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.samba.Root, got), received, 0o644); err != nil {
		return err
	}
	commands := fmt.Sprintf(`put "%s" "%s"; get "%s" "%s"`, path, put, got, filepath.Join(s.box, "copy"))
	command := lab.SMBClient(lab.SwitchOriginV4, "plans", commands)
	if _, err := lab.Run(ctx, s.gateway.Client, "", command[0], command[1:]...); err != nil {
		return err
	}
	s.add(out, put, sent, "sent", "smbclient put "+put)
	s.add(out, got, received, "received", "smbclient get "+got)
	return nil
}

// passMail has swaks send a file without TLS.
func (s *evidence) passMail(ctx context.Context, out *story) error {
	const name = "仕様書.bin"
	content := bytes.Repeat([]byte("\x00\x02specification\xfe"), 2000)
	data, err := letter("仕様書送付", "仕様書を送ります。", name, content)
	if err != nil {
		return err
	}
	m := lab.Mail{Server: lab.SwitchOriginV4, Port: lab.SMTPPort, From: mailSender + "@" + domain, To: mailUser + "@" + domain, Data: data, Plain: true}
	if _, err := lab.Swaks(ctx, s.gateway.Client, m); err != nil {
		return err
	}
	s.add(out, name, content, "sent", "swaks, without TLS, with "+name)
	return nil
}
