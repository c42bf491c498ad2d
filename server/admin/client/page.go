package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"

	"signet/server/admin/api"
)

// pageSize is how many records of a list one request asks for.
const pageSize = 1000

// Clients calls each for every client, page by page, until one returns an error.
func (c *Client) Clients(ctx context.Context, each func(api.Client) error) error {
	return pages(nil, func(q url.Values) ([]api.Client, string, error) {
		var page api.ClientList
		err := c.Call(ctx, api.ListClients.At().Query(q), nil, &page)
		return page.Clients, page.Next, err
	}, each)
}

// Users is Clients for the users that a filter selects: prefix, disabled, both or neither.
func (c *Client) Users(ctx context.Context, filter url.Values, each func(api.User) error) error {
	return pages(filter, func(q url.Values) ([]api.User, string, error) {
		var page api.UserList
		err := c.Call(ctx, api.ListUsers.At().Query(q), nil, &page)
		return page.Users, page.Next, err
	}, each)
}

func pages[T any](filter url.Values, fetch func(url.Values) (items []T, next string, err error), each func(T) error) error {
	q := url.Values{"limit": {fmt.Sprint(pageSize)}}
	maps.Copy(q, filter)
	for {
		items, next, err := fetch(q)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := each(item); err != nil {
				return err
			}
		}
		switch next {
		case "":
			return nil
		case q.Get("after"):
			return errors.New("the server's list does not end; this is a fault of the server, please report it")
		}
		q.Set("after", next)
	}
}
