<?php
// The old system's side of users.upstream, with PHP: is this the password of that user?
$secret = trim(file_get_contents(getenv('UPSTREAM_SECRET_FILE')));
$users = [ // stands for the old system's table
    'ada' => ['id' => 17, 'email' => 'ada@example.com', 'active' => true, 'hash' => '$2y$10$H5F540DXlweI9L6h0jS58OlfHRGsqiVVa36zny1RLDPNUoU4ZUt76'],
    'eve' => ['id' => 18, 'email' => 'eve@example.com', 'active' => false, 'hash' => '$2y$10$0lRMudJGIh.giw3rvldOo.mUkyUS5D.HMlTo.im/t1Rk689ubJfbe'],
];

$body = file_get_contents('php://input');
$stamp = $_SERVER['HTTP_SIGNET_TIMESTAMP'] ?? '';
$signature = hash_hmac('sha256', "$stamp.$body", $secret);
$fresh = ctype_digit($stamp) && abs(time() - (int) $stamp) < 300;
if (!hash_equals($signature, $_SERVER['HTTP_SIGNET_SIGNATURE'] ?? '') || !$fresh) {
    http_response_code(401);
    exit;
}

$asked = json_decode($body, true, 4, JSON_THROW_ON_ERROR);
$user = $users[strtolower($asked['username'])] ?? null;
// A name that nobody has is compared with a hash of nobody's password, so that the check takes as long.
$right = password_verify($asked['password'], $user['hash'] ?? '$2y$10$3LCTE86osIB1LwvkzdKh4.STA7ErNspzIfzMzjrF9Qe6jRvFUPxu.');
header('Content-Type: application/json');
echo json_encode(!$right || $user === null ? 'no'
    : ['id' => $user['id'], 'claims' => ['email' => $user['email']], 'disabled' => !$user['active']]);
