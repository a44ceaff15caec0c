package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"
)

// confirmations are the tokens that were given out and not yet presented. They are
// kept as hashes and in memory only: a restart makes all of them void.
type confirmations struct {
	life time.Duration

	mu  sync.Mutex
	out map[[sha256.Size]byte]confirmation
}

// confirmation is what a token stands for.
type confirmation struct {
	binding [sha256.Size]byte
	who     string
	expires time.Time
}

// How many tokens may be out.
const (
	maxTokens       = 1000
	maxTokensOfUser = 50
)

func newConfirmations(life time.Duration) *confirmations {
	return &confirmations{life: life, out: map[[sha256.Size]byte]confirmation{}}
}

// bind is what a confirmation is about: who wants to do what, with which
// parameters, to what, as it is now.
func bind(c caller, p *plan, s *seen) [sha256.Size]byte {
	about := []any{c.User, c.Subject, p.action, p.method.Class, p.method.Name, p.vm, string(p.object), p.shown}
	if p.target != nil {
		about = append(about, p.target.key.InstanceID(), s.State, s.Mode)
	}
	text, err := json.Marshal(about)
	if err != nil { // not to be confirmed by anything
		return sha256.Sum256([]byte(rand.Text()))
	}
	return sha256.Sum256(text)
}

// give gives out a token. It is false when too many are out.
func (c *confirmations) give(who string, binding [sha256.Size]byte, now time.Time) (token string, expires time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := 0
	for key, x := range c.out {
		if !now.Before(x.expires) {
			delete(c.out, key)
		} else if x.who == who {
			own++
		}
	}
	if len(c.out) >= maxTokens || own >= maxTokensOfUser {
		return "", time.Time{}, false
	}
	random := make([]byte, 32)
	rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	expires = now.Add(c.life)
	c.out[sha256.Sum256([]byte(token))] = confirmation{binding, who, expires}
	return token, expires, true
}

// present takes a token, which is void afterwards, whatever it was given out for.
// It is false if it is not for this.
func (c *confirmations) present(token string, binding [sha256.Size]byte, now time.Time) bool {
	key := sha256.Sum256([]byte(token)) // what is compared is a hash: how long that takes tells nothing
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.out[key]
	delete(c.out, key)
	return ok && now.Before(x.expires) && subtle.ConstantTimeCompare(x.binding[:], binding[:]) == 1
}

// confirm is the two steps of what destroys. Nil means that it is confirmed.
func (s *Server) confirm(c caller, p *plan, b *body, now *seen) *problem {
	if b.ConfirmationToken == "" {
		return s.firstStep(c, p, now)
	}
	if b.Reason == "" {
		return refuse(kindBadConfirmation, "reason is missing")
	}
	if p.vm != "" && b.VMName != p.name {
		return refuse(kindBadConfirmation, "vm_name is not the name of the VM %s", p.vm)
	}
	if now != nil && p.method.Name != destroySystem { // a test VM has no lag
		if b.MaxDataLossSeconds == nil {
			return refuse(kindBadConfirmation, "max_data_loss_seconds is missing")
		}
		if now.LagSeconds != nil && *now.LagSeconds > *b.MaxDataLossSeconds {
			return refuse(kindDataLoss, "the lag is %.0f s, and %.0f s are accepted", *now.LagSeconds, *b.MaxDataLossSeconds).with("current", now)
		}
	}
	if !s.confirmations.present(b.ConfirmationToken, bind(c, p, now), s.o.Now()) {
		return refuse(kindBadConfirmation, "the token is unknown, used, too old, or was given for something else, for another state or to somebody else; ask for a new one")
	}
	return nil
}

func (s *Server) firstStep(c caller, p *plan, now *seen) *problem {
	token, expires, ok := s.confirmations.give(c.String(), bind(c, p, now), s.o.Now())
	if !ok {
		return refuse(kindRate, "too many confirmations are asked for")
	}
	answer := refuse(kindConfirm, "it destroys %s: send it again with confirmation_token, reason, vm_name, and max_data_loss_seconds that is not below the lag", p.method.Destroys)
	answer.with("confirmation_token", token).with("expires", expires.UTC()).with("plan", p.show())
	if now != nil {
		answer.with("current", now).with("estimated_loss", now.loss)
	}
	return answer
}
