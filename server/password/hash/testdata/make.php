<?php
// Prints hashes that PHP makes, one JSON object a line, and WordPress's of 6.8, which is made of PHP's functions.
$passwords = ["correct horse battery", "Zürich könnte €5", "p", str_repeat("0123456789", 8)];
function emit($by, $password, $hash) {
    echo json_encode(["made_by" => "php " . PHP_VERSION . " $by", "scheme" => "", "password" => $password, "hash" => $hash], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
}
foreach ($passwords as $password) {
    emit("password_hash bcrypt", $password, password_hash($password, PASSWORD_BCRYPT, ["cost" => 4]));
    if (defined("PASSWORD_ARGON2ID")) {
        emit("password_hash argon2i", $password, password_hash($password, PASSWORD_ARGON2I, ["memory_cost" => 64, "time_cost" => 2, "threads" => 1]));
        emit("password_hash argon2id", $password, password_hash($password, PASSWORD_ARGON2ID, ["memory_cost" => 64, "time_cost" => 2, "threads" => 1]));
    }
    emit("crypt 2x", $password, crypt($password, '$2x$04$abcdefghijklmnopqrstuu'));
    emit("crypt 2a", $password, crypt($password, '$2a$04$abcdefghijklmnopqrstuu'));
    emit("crypt sha256", $password, crypt($password, '$5$rounds=1000$short$'));
    emit("crypt sha512", $password, crypt($password, '$6$saltsaltsaltsalt$'));
    emit("crypt md5", $password, crypt($password, '$1$abc$'));
    foreach ([$password, "  $password isn't \"quoted\" "] as $typed) { // WordPress puts backslashes into what its forms send
        emit("wordpress 6.8", $typed, '$wp' . password_hash(base64_encode(hash_hmac('sha384', trim(addslashes($typed)), 'wp-sha384', true)), PASSWORD_BCRYPT, ["cost" => 4]));
    }
    if (function_exists("sodium_crypto_pwhash_str")) {
        emit("libsodium", $password, sodium_crypto_pwhash_str($password, 1, 8192 * 1024));
    }
}
