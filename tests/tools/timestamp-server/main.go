// Sigstore's timestamp authority with a key in memory, for tests; it listens on loopback only. The command that its
// project releases has a metrics page besides, at a fixed port of every interface, and ends when that port is taken.
package main

import (
	"flag"
	"log"
	"net"
	"os"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

const policy = "1.3.6.1.4.1.57264.2"

func main() {
	host := flag.String("host", "127.0.0.1", "the loopback address to listen on; a free port is picked")
	flag.Parse()
	if ip := net.ParseIP(*host); ip == nil || !ip.IsLoopback() {
		log.Fatalf("%s is not a loopback address", *host)
	}
	viper.Set("timestamp-signer", "memory")
	viper.Set("timestamp-signer-hash", "sha256")
	viper.Set("default-policy-oid", policy)
	viper.Set("accepted-policy-oids", []string{policy})
	viper.Set("max-request-body-size", 1<<20)
	authority := server.NewRestAPIServer(*host, 0, []string{"http"}, false, 30*time.Second, 30*time.Second)
	if err := authority.Listen(); err != nil {
		log.Fatal(err)
	}
	log.New(os.Stdout, "", 0).Printf("listening on %s:%d", authority.Host, authority.Port)
	log.Fatal(authority.Serve())
}
