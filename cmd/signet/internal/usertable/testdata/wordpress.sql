-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: wordpress
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!50503 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `wp_usermeta`;
CREATE TABLE `wp_usermeta` (
  `umeta_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `meta_value` longtext COLLATE utf8mb4_unicode_520_ci,
  PRIMARY KEY (`umeta_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='it''s; a \'table\'';
INSERT INTO `wp_usermeta` VALUES (1,'a:1:{s:13:\"administrator\";b:1;}'),(2,'INSERT INTO wp_users VALUES (');
LOCK TABLES `wp_users` WRITE;
/*!40000 ALTER TABLE `wp_users` DISABLE KEYS */;
INSERT INTO `wp_users` VALUES (1,'admin','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.','admin','admin@example.com','http://example.com','2023-01-02 03:04:05','',0,'O\'Neill; (Ann) \"A\"\nsecond line'),(2,'ben','$wp$2y$10$3q7YX4nG5l2l2dYcQ1mZ7e4k7k1oM0P0n0m8J9k6l5h4g3f2d1s0a','ben','ben@example.com','','2025-06-07 08:09:10','',0,'Bén ''B''');
INSERT INTO `wordpress`.`wp_users` (`ID`, `user_login`, `user_pass`, `user_email`) VALUES
(3, 'cay', '5f4dcc3b5aa765d61d8327deb882cf99', NULL),
(4, 'short');
/*!40000 ALTER TABLE `wp_users` ENABLE KEYS */;
UNLOCK TABLES;
-- Dump completed on 2026-01-01  0:00:00
