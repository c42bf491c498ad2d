export const issuer = 'http://127.0.0.1:8080'
export const clientId = 'orders'
