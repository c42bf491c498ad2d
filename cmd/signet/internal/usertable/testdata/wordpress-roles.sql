-- MySQL dump of a network of sites, as `wp db export --tables=wp_usermeta,wp_users` writes it
CREATE TABLE `wp_usermeta` (
  `umeta_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `user_id` bigint unsigned NOT NULL DEFAULT '0',
  `meta_key` varchar(255) DEFAULT NULL,
  `meta_value` longtext,
  PRIMARY KEY (`umeta_id`)
);
INSERT INTO `wp_usermeta` VALUES (1,1,'nickname','admin'),(2,1,'wp_capabilities','a:1:{s:13:\"administrator\";b:1;}'),
(3,2,'wp_capabilities','a:3:{s:6:\"editor\";b:1;s:12:\"Bücher, \"x\"\";s:1:\"1\";s:7:\"deleted\";b:0;}'),
(4,2,'wp_2_capabilities','a:1:{s:6:\"author\";b:1;}'),(5,3,'wp_capabilities','a:0:{}'),(6,4,'wp_capabilities','a:1:{s:99:\"editor\";b:1;}'),
(7,5,'wp_capabilities'),(8,5,'note','é');
INSERT INTO `shop_usermeta` (`meta_key`, `meta_value`, `user_id`) VALUES ('shop_capabilities','a:1:{s:8:\"customer\";i:1;}','1');
INSERT INTO `wp_users` VALUES (1,'admin','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','admin','admin@example.com','','2023-01-02 03:04:05','',0,'A'),
(2,'ben','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','ben','ben@example.com','','2023-01-02 03:04:05','',0,'B'),
(3,'cay','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','cay','cay@example.com','','2023-01-02 03:04:05','',0,'C'),
(4,'dan','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','dan','dan@example.com','','2023-01-02 03:04:05','',0,'D'),
(5,'eve','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','eve','eve@example.com','','2023-01-02 03:04:05','',0,'E');
INSERT INTO `shop_users` (`ID`,`user_login`) VALUES ('1','fay');
INSERT INTO `wp_usermeta` VALUES (9,5,'wp_capabilities','a:1:{s:6:\"editor\";b:1;}');
