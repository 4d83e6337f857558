-- A shop as its first release knows it.
CREATE TABLE users (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mail VARCHAR(120) NOT NULL,
  full_name VARCHAR(120) NOT NULL,
  fax VARCHAR(40) NULL,
  tier ENUM('free', 'pro', 'vip') NOT NULL DEFAULT 'free',
  born DATE NULL,
  credit DECIMAL(10,2) NOT NULL DEFAULT 0.00,
  bio TEXT NULL,
  referrer_id INT UNSIGNED NULL,
  created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE KEY uq_mail (mail),
  KEY ix_full_name (full_name),
  KEY ix_referrer (referrer_id),
  CONSTRAINT fk_users_referrer FOREIGN KEY (referrer_id) REFERENCES users (id)
);
CREATE TABLE products (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sku VARCHAR(30) NOT NULL,
  title VARCHAR(100) NOT NULL,
  price DECIMAL(8,2) NULL,
  weight DOUBLE NULL,
  stock INT NOT NULL DEFAULT 0,
  thumb BLOB NULL,
  UNIQUE KEY uq_sku (sku)
);
CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id INT UNSIGNED NOT NULL,
  status VARCHAR(20) NOT NULL DEFAULT 'new',
  total DECIMAL(10,2) NOT NULL DEFAULT 0.00,
  placed_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
  changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  note VARCHAR(200) NULL,
  KEY ix_user (user_id),
  KEY ix_status (status, placed_at),
  CONSTRAINT fk_orders_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE order_items (
  order_id BIGINT NOT NULL,
  product_id INT NOT NULL,
  quantity INT NOT NULL DEFAULT 1,
  price DECIMAL(8,2) NOT NULL,
  PRIMARY KEY (order_id, product_id),
  KEY ix_product (product_id),
  CONSTRAINT fk_items_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  CONSTRAINT fk_items_product FOREIGN KEY (product_id) REFERENCES products (id)
);
