// Prints hashes that node's scrypt makes, spelled as Better Auth, Lucia, Django and Werkzeug do, one JSON object a line.
import { createHmac, pbkdf2Sync, randomBytes, scryptSync } from "node:crypto";

const emit = (by, scheme, password, hash) => console.log(JSON.stringify({ made_by: `node ${process.version} ${by}`, scheme, password, hash }));

for (const password of ["correct horse battery", "Zürich könnte €5", "ﬁne Ⅷ", "0123456789".repeat(8)]) {
  const salt = randomBytes(16).toString("hex");
  const key = (r) => scryptSync(password.normalize("NFKC"), salt, 64, { N: 16384, r, p: 1, maxmem: 1 << 26 }).toString("hex");
  emit("better-auth", "better-auth", password, `${salt}:${key(16)}`);
  emit("lucia 3", "lucia", password, `${salt}:${key(16)}`);
  emit("lucia 2", "", password, `s2:${salt}:${key(16)}`);
  emit("lucia 1", "lucia-legacy", password, `${salt}:${key(8)}`);
  const plain = (N, r, p) => scryptSync(password, salt, 64, { N, r, p, maxmem: 1 << 26 });
  emit("werkzeug's scrypt", "", password, `scrypt:1024:8:1$${salt}$${plain(1024, 8, 1).toString("hex")}`);
  emit("django's scrypt", "", password, `scrypt$1024$${salt}$8$5$${plain(1024, 8, 5).toString("base64")}`);
  const b64 = (bytes) => bytes.toString("base64").replace(/=+$/, "");
  for (const [digest, size] of [["sha1", 20], ["sha256", 32], ["sha512", 64]]) {
    emit(`pbkdf2 as a PHC string, ${digest}`, "", password,
      `$pbkdf2-${digest}$i=100,l=${size}$${b64(Buffer.from(salt))}$${b64(pbkdf2Sync(password, Buffer.from(salt), 100, size, digest))}`);
  }
  emit("keycloak's pbkdf2-sha512", "", password, JSON.stringify({
    type: "password",
    secretData: JSON.stringify({ value: pbkdf2Sync(password, Buffer.from(salt), 100, 64, "sha512").toString("base64"), salt: Buffer.from(salt).toString("base64") }),
    credentialData: JSON.stringify({ hashIterations: 100, algorithm: "pbkdf2-sha512", additionalParameters: {} }),
  }));
}
