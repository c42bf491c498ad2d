package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
	"go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"
)

// The floor is the least a token server can do for a request: HTTP, a form, one comparison, one
// write where a session moves (with an embedded store fsynced and shared with its neighbours, with
// Redis one script), one hash where there is a password, one signature, JSON. It checks nothing and is
// safe for nothing.

const floorSecret = "floor-secret"

type floorClaims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// floorMain runs the floor as a process of its own; it prints its address. With an argument, which
// is the address of a Redis, sessions are there.
func floorMain() {
	move := floorEmbedded()
	if len(os.Args) > 1 {
		move = floorRedis(os.Args[1])
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, floorHandler(move, key)))
}

// floorMove writes what is kept of a session.
type floorMove func(ctx context.Context, id, record []byte) error

func floorEmbedded() floorMove {
	dir, err := os.MkdirTemp("", "floor")
	if err != nil {
		log.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "floor.db"), 0o600, nil)
	if err != nil {
		log.Fatal(err)
	}
	bucket := []byte("sessions")
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		log.Fatal(err)
	}
	db.MaxBatchDelay = 0
	return func(_ context.Context, id, record []byte) error {
		return db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(id, record) })
	}
}

func floorRedis(addr string) floorMove {
	client := redis.NewClient(&redis.Options{Addr: addr})
	script := redis.NewScript(`return {redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]), ARGV[2]}`)
	return func(ctx context.Context, id, record []byte) error {
		return script.Run(ctx, client, []string{"floor:" + string(id[:8])}, id, record).Err()
	}
}

func floorHandler(move floorMove, key *ecdsa.PrivateKey) http.Handler {
	want := sha256.Sum256([]byte(floorSecret))
	slots := make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))
	set := []byte(`{"keys":"` + strings.Repeat("x", 400) + `"}`)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(set)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		got := sha256.Sum256([]byte(r.PostForm.Get("client_secret")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer := map[string]any{"token_type": "Bearer", "expires_in": 300}
		grant := r.PostForm.Get("grant_type")
		if grant == "password" {
			slots <- struct{}{}
			argon2.IDKey([]byte(r.PostForm.Get("password")), set[:16], 2, 19456, 1, 32)
			<-slots
		}
		if grant != "client_credentials" {
			id := []byte(rand.Text())
			if err := move(r.Context(), id[:16], set[:48]); err != nil {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			answer["refresh_token"] = "floor_" + rand.Text() + rand.Text()
		}
		now := time.Now()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, &floorClaims{jwt.RegisteredClaims{Issuer: "https://auth.example.com", Subject: "usr_o4eu25vznj2r6ln2onagpy56xy",
			Audience: jwt.ClaimStrings{"https://api.example.com"}, ExpiresAt: jwt.NewNumericDate(now.Add(5 * time.Minute)), IssuedAt: jwt.NewNumericDate(now), ID: rand.Text()},
			"web", "profile orders:read orders:write"})
		token.Header["kid"] = "8Qd0bE2nYp1c6mSg"
		var err error
		if answer["access_token"], err = token.SignedString(key); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(answer)
	})
	return mux
}
