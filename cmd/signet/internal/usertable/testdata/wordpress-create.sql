-- phpMyAdmin SQL Dump
CREATE DATABASE IF NOT EXISTS `wordpress` DEFAULT CHARACTER SET utf8mb4;
USE `wordpress`;
CREATE TABLE `wp_users_old` LIKE `wp_users`;
CREATE TABLE IF NOT EXISTS `wordpress`.`wp_users` (
  `ID` bigint(20) UNSIGNED NOT NULL,
  `user_login` varchar(60) NOT NULL DEFAULT '' COMMENT 'it''s a name, (not a column)',
  `key` enum('a','b') DEFAULT 'a', -- of a plugin
  `display_name` varchar(250) NOT NULL,
  `user_pass` varchar(255) CHECK (length(`user_pass`) > 0),
  score decimal(10,2) DEFAULT NULL,
  PRIMARY KEY (`ID`),
  UNIQUE `login` (`user_login`, `ID`),
  KEY `user_nicename` (`display_name`(50)),
  CONSTRAINT `c` FOREIGN KEY (`ID`) REFERENCES `x` (`y`)
) ENGINE=InnoDB;
INSERT INTO `wp_users` VALUES (1,'ann','a','Ann','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.',1.50),(2,'ben','b','Ben','$P$BoC5KXqmXYQtuBeSUyd5dvMVwCEsFs.');
INSERT INTO `wp_users` (`user_login`) VALUES ('cay');
CREATE TEMPORARY TABLE `wp_2_users` (`user_login` text, `ID` int);
INSERT INTO `wp_2_users` VALUES ('dan',4);
CREATE VIEW `v` AS SELECT 1;
