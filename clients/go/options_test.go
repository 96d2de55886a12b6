package tieline_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	tieline "github.com/tieline/tieline/clients/go"
	"github.com/tieline/tieline/clients/go/tielinev1"
)

func stop(context.Context, *tieline.GapError) tieline.GapChoice { return tieline.Stop }

func ignore(context.Context, *tieline.Batch) error { return nil }

func TestMistakesAreReportedAtOnceWithTheirMend(t *testing.T) {
	t.Parallel()
	err := tieline.Subscribe(t.Context(), tieline.Options{
		Target: "tieline", TLS: &tieline.TLS{CertFile: "cert.pem"},
	}, ignore)
	for _, wanted := range []string{
		`Target "tieline" lacks its port; write it as unix:/path or host:port`,
		`CertFile "cert.pem" and KeyFile ""`, "Start is not set; choose", "OnGap is not set; decide",
	} {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%v does not say %s", err, wanted)
		}
	}
}

func TestATokenDoesNotTravelInTheClear(t *testing.T) {
	t.Parallel()
	err := tieline.Subscribe(t.Context(), tieline.Options{
		Target: "tieline.example:7443", TokenFile: "token", Start: tieline.Latest, OnGap: stop,
	}, ignore)
	if err == nil || !strings.Contains(err.Error(), "is not sent to") {
		t.Error(err)
	}
}

func TestAMissingTokenFileSurfaces(t *testing.T) {
	t.Parallel()
	err := tieline.Subscribe(t.Context(), tieline.Options{
		TokenFile: filepath.Join(t.TempDir(), "token"), Start: tieline.Latest, OnGap: stop,
	}, ignore)
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestAPositionIsReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "position")
	store := tieline.FileStore(path)
	if got, err := store.Load(t.Context()); got != nil || err != nil {
		t.Fatal(got, err)
	}
	// What a crash in the middle of a save leaves behind.
	if err := os.WriteFile(path+".next", []byte("half of a very long position"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(9); sequence < 12; sequence++ {
		before, _ := os.Stat(path)
		if err := store.Save(t.Context(), tieline.Position{Epoch: "e", Sequence: sequence}); err != nil {
			t.Fatal(err)
		}
		got, err := store.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		is(t, "loaded", *got, tieline.Position{Epoch: "e", Sequence: sequence})
		now, _ := os.Stat(path)
		is(t, "written in place", before != nil && os.SameFile(before, now), false)
	}
	for _, text := range []string{"", "e", "e/", "/1", "e/-1", "e/1/2"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Load(t.Context()); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestASecuredConnectionKnowsItsAuthority(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	certificate, ca := certify(t, folder)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secured := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	tielinev1.RegisterEventServiceServer(secured, &server{answers: answers{stays(opened("e", 0), events(1, 1))}})
	go func() { _ = secured.Serve(listener) }()
	t.Cleanup(secured.Stop)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = tieline.Subscribe(ctx, tieline.Options{
		Target: listener.Addr().String(), TLS: &tieline.TLS{CAFile: ca}, Start: tieline.Earliest, OnGap: stop,
	}, func(_ context.Context, batch *tieline.Batch) error {
		if len(batch.Events) > 0 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// certify makes a certificate for 127.0.0.1 that is its own authority.
func certify(t *testing.T, folder string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "tieline"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(folder, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}
